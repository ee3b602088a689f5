"""What somebody asked for and has not confirmed yet: it travels through the confirming page sealed.

Encrypted, because a secret may be in it and no secret ever stands in a page; bound to who asked and to where, because
it is taken at its word when it comes back; and good for an hour.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from modules import secrets, services
from modules.admin.places import Place
from modules.plans import Obstacle, Plan, Wish

MAX_AGE = 3600


class Unreadable(Exception):
    """A sealed text that is too old, was altered, or belongs to somebody or somewhere else."""


def seal(place: Place, purpose: str, content: Mapping[str, Any]) -> str:
    """Return the content encrypted, for this person, this module of this platform, and this purpose."""
    return secrets.encrypt(json.dumps([purpose, *_owner(place), dict(content)]))


def unseal(place: Place, purpose: str, token: str) -> dict[str, Any]:
    """Return what was sealed. Raises Unreadable."""
    try:
        *owner, content = json.loads(secrets.decrypt(token, max_age=MAX_AGE))
    except (secrets.SecretUnreadable, ValueError) as error:
        raise Unreadable from error
    if owner != [purpose, *_owner(place)]:
        raise Unreadable
    return content


def _owner(place: Place) -> list[Any]:
    return [place.actor.user_id, place.platform.pk, place.module]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is wanted of one module, and what was typed to say so.

    `seen` is the digest of the setting that the form showed; empty where no form showed one. `data` is the form as it
    was sent, to go back to.
    """

    module: str
    is_enabled: bool | None = None
    config: Mapping[str, Any] | None = None
    resets: bool = False
    cascade: bool = False
    seen: str = ""
    reason: str = ""
    data: Mapping[str, list[str]] = field(default_factory=dict)
    kept_secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def wish(self) -> Wish:
        """What is wanted, as plans are made of."""
        return Wish(module=self.module, is_enabled=self.is_enabled, config=self.config, resets=self.resets)

    def seal(self, place: Place) -> str:
        """Return it as the text that the page carries."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return seal(place, "proposal", content)

    @classmethod
    def open(cls, place: Place, token: str) -> "Proposal":
        """Return what was sealed. Raises Unreadable."""
        try:
            return cls(**unseal(place, "proposal", token))
        except TypeError as error:
            raise Unreadable from error

    def planned(self, place: Place) -> tuple["Proposal", Plan, Plan | None]:
        """Return what there is to confirm: the proposal, its plan, and where a cascade is needed the plan without it.

        Where all that stands in the way is modules that need this one, taking them along is what there is to propose.
        Raises InvalidConfig.
        """
        plan = services.preview(platform=place.platform, wishes=[self.wish], cascade=self.cascade)
        if self.cascade or not plan.blockers or any(item.code is not Obstacle.REQUIRED_BY for item in plan.blockers):
            return self, plan, None
        with_others = services.preview(platform=place.platform, wishes=[self.wish], cascade=True)
        if with_others.blockers:
            return self, plan, None
        return replace(self, cascade=True), with_others, plan
