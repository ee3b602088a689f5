"""Back to here: the page that shows what going back to a moment would do, and does it.

What leads back, and what stands in the way, is for `modules.services` to say; here it is only put to people.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from modules import selectors, services
from modules.admin import moments, places, wording
from modules.admin.places import RESTRICTED, find_platform, is_withheld, linked, name_of
from modules.configs import InvalidConfig
from modules.models import Change
from modules.plans import Obstacle, Plan
from modules.registry import registry
from modules.services import Blocked, Collision, StalePlan
from modules.timeline import Moment
from platforms import access
from platforms.access import Actor, Right
from platforms.admin_forms import ReasonForm
from platforms.models import Platform

NOTHING = "Nothing to change: all of it is so already."


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way back: of which platform, to where, of one module or of all, and what is put up with to get there."""

    actor: Actor
    platform: Platform
    moment: Moment
    module: str = ""
    cascade: bool = False
    keep_secrets: bool = False

    @property
    def wanted(self) -> dict[str, Any]:
        """What the services are asked for."""
        return {
            "platform": self.platform,
            "to": self.moment.change,
            "module": self.module or None,
            "cascade": self.cascade,
            "keep_secrets": self.keep_secrets,
        }

    def planned(self) -> tuple["Way", Plan, Plan | None]:
        """Return what there is to confirm: the way, its plan, and the plan without what has to be put up with.

        Where all that stands in the way is modules that need another, or secrets of then that nobody has, there is a
        way around: to take those along, to keep these as they are. Raises InvalidConfig.
        """
        plan = services.preview_revert(**self.wanted)
        obstacles = {item.code for item in plan.blockers}
        way = replace(
            self,
            cascade=self.cascade or Obstacle.REQUIRED_BY in obstacles,
            keep_secrets=self.keep_secrets or Obstacle.SECRET_CHANGED in obstacles,
        )
        if way == self:
            return self, plan, None
        other = services.preview_revert(**way.wanted)
        return (self, plan, None) if other.blockers else (way, other, plan)

    def withheld(self, modules: Iterable[str]) -> list[str]:
        """Return those of the modules that are not the asking person's to switch."""
        return [code for code in dict.fromkeys(modules) if is_withheld(self.actor, registry.get(code))]

    @property
    def after_url(self) -> str:
        """Where to go when all is done, or nothing is to be."""
        if self.module:
            return places.address("history", self.platform.code, self.module)
        return moments.address("timeline", self.platform)


class BackPages:
    """The page of one way back; `admin` lends it its site and its templates' context."""

    def __init__(self, admin: ModelAdmin) -> None:
        self.admin = admin

    def back(self, request: HttpRequest, platform: str, number: int) -> HttpResponse:
        """Show the plan that leads back to a change; on POST apply it."""
        way = self._way(request, platform, number)
        if request.method != "POST":
            return self._ask(request, way)
        asked = ReasonForm(request.POST)
        if not asked.is_valid():
            return self._ask(request, way, reason_form=asked)
        return self._apply(request, way, asked)

    def _way(self, request: HttpRequest, code: str, number: int) -> Way:
        """Return where the request wants to go. Raises Http404, or PermissionDenied for those who may only look."""
        platform, actor = find_platform(request, code), Actor.of(request)
        if not access.may(actor, Right.SWITCH, platform):
            raise PermissionDenied
        said = request.POST if request.method == "POST" else request.GET
        module = said.get("module", "")
        if module and ("\0" in module or not selectors.is_known(module)):
            raise Http404("No such module.")
        return Way(
            actor=actor,
            platform=platform,
            moment=moments.moment_after(platform, number),
            module=module,
            cascade="cascade" in request.POST,
            keep_secrets="keep_secrets" in request.POST,
        )

    def _apply(self, request: HttpRequest, way: Way, asked: ReasonForm) -> HttpResponse:
        """Have the service apply the plan that was shown, and say what came of it."""
        reason = asked.cleaned_data["reason"]
        try:
            outcome = services.revert(
                **way.wanted,
                origin=services.origin_of_request(request, Change.Source.ADMIN, reason),
                digest=request.POST.get("digest", ""),
            )
        except (StalePlan, Blocked, InvalidConfig):
            return self._ask(request, way, reason_form=ReasonForm(initial={"reason": reason}), is_stale=True)
        except (Collision, PermissionDenied) as error:
            messages.error(request, str(error) or RESTRICTED)
            return HttpResponseRedirect(way.after_url)
        except Platform.DoesNotExist:
            raise Http404("The platform is gone.") from None
        if outcome.change is None:
            messages.info(request, NOTHING)
        else:
            messages.success(request, wording.success(way.platform, outcome.change))
        return HttpResponseRedirect(way.after_url)

    def _ask(
        self, request: HttpRequest, way: Way, *, reason_form: ReasonForm | None = None, is_stale: bool = False
    ) -> HttpResponse:
        """Draw the plan: the steps, what stands in the way, and why they are wanted."""
        plan, blockers = Plan(platform=way.platform.code), []
        try:
            way, plan, without = way.planned()
        except InvalidConfig as error:
            touched = [item.module for item in error.errors]
            blockers = [_misfit(way.platform, item.module, ".".join(item.path), item.detail) for item in error.errors]
        else:
            touched = [step.module for step in plan.steps] + [item.module for item in (without or plan).blockers]
            blockers = wording.blockers(without or plan)
        is_possible = bool(plan.steps)
        if withheld := way.withheld(touched):
            is_possible = False
            blockers = [{"detail": f"{', '.join(map(name_of, withheld))}: {RESTRICTED}", "link": None}]
        title = f"Take {name_of(way.module)} back to change {way.moment.change}" if way.module else ""
        title = title or f"Go back to change {way.moment.change}"
        context = {
            **self.admin.admin_site.each_context(request),
            "opts": self.admin.opts,
            "title": title,
            "subtitle": None,
            "way": way,
            "when": moments.words(replace(way.moment, change=None)),
            "moment_url": moments.address("moment", way.platform, change=way.moment.change),
            "compare_url": moments.address("compare", way.platform, change=way.moment.change),
            "digest": plan.digest,
            "steps": wording.steps_to_do(plan),
            "blockers": blockers,
            "can_be_done": is_possible,
            "is_stale": is_stale,
            "reason_form": reason_form or ReasonForm(),
            "trail": moments.trail(way.platform, last=title),
        }
        response = TemplateResponse(request, "admin/modules/change/back.html", context)
        response["Cache-Control"] = "no-store"
        return response


def _misfit(platform: Platform, module: str, path: str, detail: str) -> dict[str, Any]:
    """Return one thing that today's schema has against the config of then."""
    text = f"What was set then no longer fits: {name_of(module)}, {path or 'config'}: {detail}"
    return {"detail": text, "link": linked(platform.code, module)}
