"""What has to be wished for to bring modules back to how they stood: the difference between then and now, no more.

Nothing here reads or writes a database; what comes of the wishes is for `plans.plan()` to say, as of all others.
"""

from collections.abc import Iterable, Mapping

from modules import configs
from modules.canonical import canonical_json
from modules.plans import RowState, Wish
from modules.registry import ModuleRegistry


def wishes_back(
    *,
    registry: ModuleRegistry,
    then: Mapping[str, RowState],
    now: Mapping[str, RowState],
    modules: Iterable[str] | None = None,
    keep_secrets: bool = False,
) -> list[Wish]:
    """Return the wishes that lead from what the rows say now to what they said then.

    modules: which of them; None means all that were touched by either time. A module without a row was never touched.
    What is as it was is not wished for, so that it stands in nobody's way, installed or not. History keeps no secret:
    where one is not that of then the plan is blocked, unless `keep_secrets` leaves them all as they are now.
    """
    wanted = then.keys() | now.keys() if modules is None else set(modules)
    codes = [*registry.in_order(wanted), *sorted(code for code in wanted if code not in registry)]
    wishes = (_wish_back(registry, code, then.get(code), now.get(code), keep_secrets) for code in codes)
    return [wish for wish in wishes if wish is not None]


def _wish_back(
    registry: ModuleRegistry, code: str, then: RowState | None, now: RowState | None, keep_secrets: bool
) -> Wish | None:
    definition = registry.get(code)
    untouched = RowState(is_enabled=definition is not None and definition.is_core)
    then, now = then or untouched, now or untouched
    secrets = None if keep_secrets or then.secrets == now.secrets else then.secrets
    config = None
    # As text, not by ==, for which true and 1 say the same.
    if canonical_json(then.config) != canonical_json(now.config):
        # An earlier schema may have kept in the open what is a secret by now: it is not taken from there.
        hidden = configs.secret_fields(definition.config) if definition else frozenset()
        config = {key: value for key, value in then.config.items() if key not in hidden}
    is_enabled = None if then.is_enabled == now.is_enabled else then.is_enabled
    if is_enabled is None and config is None and secrets is None:
        return None
    return Wish(module=code, is_enabled=is_enabled, config=config, replaces=True, secrets=secrets)
