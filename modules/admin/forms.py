"""The forms of a module's page."""

import json
from collections.abc import Mapping
from typing import Any

from django.forms import BoundField
from django.http import QueryDict

from modules import configs
from modules.admin.places import Place
from modules.admin.proposals import Proposal, Unreadable, seal, unseal
from modules.config_fields import CheckField, ChoicesField
from modules.config_forms import ConfigForm, ConfigSetting, at, is_same
from modules.plans import Wish
from platforms import json_input
from platforms.admin_forms import ReasonField

_KEPT_LOST = "What you typed here was not kept. Type it again."


class ModuleForm(ConfigForm):
    """A module of a platform: on or off, how it is configured, and why that changes.

    Three hidden fields go along: `seen`, the digest of what was shown; `shown`, the values that were shown; and `kept`,
    secrets that were typed on an earlier turn, sealed.
    """

    def __init__(self, data: QueryDict | None = None, *, place: Place, **kwargs: Any) -> None:
        self.place = place
        self.sent = data if data is not None else QueryDict()
        self.lost_secrets = False
        kept = kwargs.pop("kept_secrets", None)
        if kept is None:
            kept = self._opened(self.sent.get("kept", ""))
        super().__init__(
            data,
            schema=place.schema,
            values=place.values(),
            secrets=[name for name, secret in place.state.secrets.items() if secret.is_set],
            kept_secrets=kept,
            **kwargs,
        )
        if not place.state.is_core:
            switch = CheckField()
            switch.label, switch.initial = f"On for {place.platform.name}", place.state.is_enabled
            self.fields["is_enabled"] = switch
        self.fields["reason"] = ReasonField()

    def _opened(self, token: str) -> dict[str, str]:
        if not token:
            return {}
        try:
            return unseal(self.place, "secrets", token)
        except Unreadable:
            self.lost_secrets = True
            return {}

    def clean(self) -> dict[str, Any]:
        """Say so where a secret that was typed before can no longer be read."""
        cleaned = super().clean()
        if self.lost_secrets:
            for setting in self.settings:
                if setting.is_secret and not cleaned.get(setting.name):
                    self.add_error(setting.name, _KEPT_LOST)
        return cleaned

    @property
    def seen(self) -> str:
        """The digest of the setting that the page showed when it was drawn."""
        return self.sent.get("seen", "")

    def proposal(self) -> Proposal:
        """Return what a valid form asks for: only what the person changed."""
        seen_state, shown_config = self._as_shown()
        wanted = self.cleaned_data.get("is_enabled", seen_state)
        return Proposal(
            module=self.place.module,
            is_enabled=None if wanted == seen_state else wanted,
            config=self.patch(shown_config) or None,
            seen=self.seen,
            reason=self.cleaned_data["reason"],
            data={name: self.sent.getlist(name) for name in self.sent if name not in ("csrfmiddlewaretoken", "kept")},
            kept_secrets=self.typed_secrets(),
        )

    def _as_shown(self) -> tuple[bool, Mapping[str, Any]]:
        """Return the state and the config that the page showed; what is stored now where it does not say."""
        try:
            shown = json_input.loads(self.sent.get("shown", ""), max_depth=configs.MAX_DEPTH + 2)
            return bool(shown["is_enabled"]), dict(shown["config"])
        except (json_input.JSONInputError, KeyError, TypeError, ValueError):
            return self.place.state.is_enabled, self.shown_values()

    def changed_values(self) -> dict[str, Any]:
        """Return by field name what a valid form says otherwise than it was shown: what its author typed."""
        seen_state, shown_config = self._as_shown()
        given = self.given(shown_config)
        found: dict[str, Any] = {}
        for setting in self.settings:
            if not setting.is_secret and not is_same(at(shown_config, setting.path), given[setting.path]):
                found[setting.name] = given[setting.path]
        if self.cleaned_data.get("is_enabled", seen_state) != seen_state:
            found["is_enabled"] = self.cleaned_data["is_enabled"]
        return found | {"reason": self.sent.get("reason", "")}

    def hidden(self) -> dict[str, str]:
        """Return the hidden fields of the page."""
        if self.is_bound:
            seen, shown = self.seen, self.sent.get("shown", "")
        else:
            seen = self.place.setting.digest
            shown = json.dumps({"is_enabled": self.place.state.is_enabled, "config": self.shown_values()})
        typed = self.typed_secrets()
        return {"seen": seen, "shown": shown, "kept": seal(self.place, "secrets", typed) if typed else ""}

    # --- what the template prints ---

    def switch_row(self) -> dict[str, Any] | None:
        """Return the row that switches the module; None where it has no switch."""
        return {"field": self["is_enabled"], "is_checkbox": True} if "is_enabled" in self.fields else None

    def reason_row(self) -> dict[str, Any]:
        """Return the row that asks why."""
        return {"field": self["reason"]}

    def rows(self) -> list[dict[str, Any]]:
        """Return the config's fields, group by group."""
        return [
            {
                "title": group.title,
                "description": group.description,
                "id": "-".join(("group", *group.path)),
                "rows": [self._row(setting) for setting in group.settings],
            }
            for group in self.groups
            if group.settings
        ]

    def _row(self, setting: ConfigSetting) -> dict[str, Any]:
        bound: BoundField = self[setting.name]
        row: dict[str, Any] = {
            "field": bound,
            "is_checkbox": isinstance(bound.field, CheckField),
            "is_group": isinstance(bound.field, ChoicesField),
        }
        if setting.is_secret:
            name = setting.path[-1]
            row["secret"] = self.place.state.secrets.get(name)
            row["is_kept"] = name in self.typed_secrets()
            row["remove"] = self[setting.remove_name] if setting.remove_name in self.fields else None
        return row


def wish_of(action: str, module: str) -> Wish:
    """Return what one of the pages `switch_on`, `switch_off` and `reset` stands for."""
    return Wish(
        module=module, is_enabled={"switch_on": True, "switch_off": False}.get(action), resets=action == "reset"
    )
