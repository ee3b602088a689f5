"""Switching modules on many platforms at once: one page shows every platform's plan, one tells what became of each.

Each platform is its own transaction and its own change; what stands in the way on one keeps no other from moving.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.options import Options
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from modules import services
from modules.admin import wording
from modules.admin.places import is_theirs_to_switch, is_withheld, name_of
from modules.configs import InvalidConfig
from modules.models import Change, PlatformModule
from modules.plans import Obstacle, Plan, Wish
from modules.registry import registry
from modules.services import Blocked, Collision, Origin, Outcome, StalePlan
from platforms import access
from platforms.access import Actor, Right
from platforms.admin_base import row_number
from platforms.admin_forms import ReasonForm
from platforms.models import Platform

MAX_PLATFORMS = 200
NO_RIGHT = "You may see this platform, but not switch its modules."
GONE = "The platform is gone."
STALE = "Something changed there since the plan was shown. Nothing was done; look at the plan again."


class Pick(NamedTuple):
    """A module of a platform, chosen from a list."""

    platform_id: int
    module: str


@dataclass(slots=True)
class Line:
    """One platform in the plan and in the outcome: what would move, what stands in the way, what became of it."""

    platform: Platform
    modules: tuple[str, ...]
    plan: Plan | None = None
    refusal: str = ""
    outcome: Outcome | None = None
    is_stale: bool = False
    blockers: list[dict[str, Any]] = field(default_factory=list)

    def wishes(self, is_enabled: bool) -> list[Wish]:
        """Return what is wanted of the modules that were chosen here."""
        return [Wish(module=module, is_enabled=is_enabled) for module in self.modules]

    @property
    def can_be_done(self) -> bool:
        """Whether there is anything to do, and nothing in the way."""
        return bool(self.plan and self.plan.steps) and not self.blockers and not self.refusal

    @property
    def needs_cascade(self) -> bool:
        """Whether taking along what needs these modules would clear the way."""
        return bool(self.plan and self.plan.blockers) and all(
            item.code is Obstacle.REQUIRED_BY for item in (self.plan.blockers if self.plan else ())
        )

    @property
    def steps(self) -> list[dict[str, str]]:
        """The plan's steps, to be read."""
        return wording.steps_to_do(self.plan) if self.plan else []

    @property
    def names(self) -> str:
        """The modules that were chosen here."""
        return ", ".join(map(name_of, self.modules))

    @property
    def done(self) -> str:
        """What was done, in a line."""
        return wording.steps_text(self.outcome.plan.steps) if self.outcome else ""

    @property
    def url(self) -> str:
        """The platform's page."""
        return reverse("admin:platforms_platform_change", args=[self.platform.pk])


class BulkPages:
    """The pages of one bulk switch, from the choice to the outcome."""

    def __init__(self, site: AdminSite, opts: Options) -> None:
        self.site = site
        self.opts = opts

    def start(self, request: HttpRequest, rows: QuerySet[PlatformModule], *, is_enabled: bool) -> HttpResponse:
        """Answer a list's action with the plan for what was chosen in it."""
        platforms = rows.order_by().values_list("platform_id", flat=True).distinct()
        if len(platforms[: MAX_PLATFORMS + 1]) > MAX_PLATFORMS:
            return self._too_many(request, back=request.get_full_path())
        picks = [Pick(platform_id, module) for platform_id, module in rows.values_list("platform_id", "module_id")]
        return self._plan(request, picks, is_enabled=is_enabled, cascade=False)

    def choose(self, request: HttpRequest, platforms: QuerySet[Platform], *, is_enabled: bool) -> HttpResponse:
        """Ask which module to switch on these platforms."""
        rows = list(platforms[: MAX_PLATFORMS + 1])
        if len(rows) > MAX_PLATFORMS:
            return self._too_many(request, back=request.get_full_path())
        actor = Actor.of(request)
        offered = [item for item in registry if not item.is_core and is_theirs_to_switch(actor, item)]
        return self._render(
            request, "choose", is_enabled, {"platforms": rows, "modules": offered, "title": _title(is_enabled)}
        )

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Take what the pages send: show the plan again, or apply it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        post = request.POST
        is_enabled, cascade = post.get("action") == "on", "cascade" in post
        picks = _picks(post.getlist("pick"))
        if module := post.get("module", ""):
            numbers = map(row_number, post.getlist("platform"))
            picks += [Pick(number, module) for number in numbers if number is not None]
        if "apply" not in post:
            return self._plan(request, picks, is_enabled=is_enabled, cascade=cascade, reason=post.get("reason", ""))
        asked = ReasonForm(post)
        if not asked.is_valid() or cascade != (post.get("planned_cascade") == "1"):
            return self._plan(
                request, picks, is_enabled=is_enabled, cascade=cascade, reason_form=asked, is_new=asked.is_valid()
            )
        origin = services.origin_of_request(request, Change.Source.ADMIN, asked.cleaned_data["reason"])
        lines = self._lines(request, picks)
        for line in lines:
            if not line.refusal:
                self._apply(line, origin, is_enabled, cascade, post.get(f"digest-{line.platform.pk}", ""))
        return self._render(request, "outcome", is_enabled, {"lines": lines, "title": "Outcome", **_counted(lines)})

    # --- platform by platform ---

    def _lines(self, request: HttpRequest, picks: Iterable[Pick]) -> list[Line]:
        """Return a line for every platform chosen that the asking person sees; what they do not see is not there."""
        chosen: dict[int, dict[str, None]] = {}
        for pick in picks:
            chosen.setdefault(pick.platform_id, {})[pick.module] = None
        actor = Actor.of(request)
        rows = Platform.objects.filter(pk__in=list(chosen)[:MAX_PLATFORMS]).order_by("name")
        theirs = set(access.scope(actor, rows, Right.SWITCH).values_list("pk", flat=True))
        return [
            Line(
                platform=platform,
                modules=tuple(chosen[platform.pk]),
                refusal=_withheld(actor, chosen[platform.pk]) if platform.pk in theirs else NO_RIGHT,
            )
            for platform in access.scope(actor, rows, Right.VIEW)
        ]

    def _preview(self, line: Line, actor: Actor, is_enabled: bool, cascade: bool) -> None:
        """Write down on the line what would come of it; lock nothing."""
        try:
            line.plan = services.preview(platform=line.platform, wishes=line.wishes(is_enabled), cascade=cascade)
        except InvalidConfig as error:
            line.refusal = str(error)
            return
        line.blockers = wording.blockers(line.plan)
        line.refusal = _withheld(actor, [step.module for step in line.plan.steps])

    def _apply(self, line: Line, origin: Origin, is_enabled: bool, cascade: bool, digest: str) -> None:
        """Apply one platform's plan, and write down on the line what came of it."""
        try:
            outcome = services.apply(
                platform=line.platform,
                wishes=line.wishes(is_enabled),
                origin=origin,
                cascade=cascade,
                digest=digest,
            )
        except Blocked as error:
            line.plan, line.blockers = error.plan, wording.blockers(error.plan)
        except StalePlan as error:
            line.plan, line.is_stale, line.refusal = error.plan, True, STALE
        except (Collision, InvalidConfig, PermissionDenied) as error:
            line.refusal = str(error)
        except Platform.DoesNotExist:
            line.refusal = GONE
        else:
            line.plan = outcome.plan
            if outcome.change is not None:
                line.outcome = outcome

    def _plan(
        self,
        request: HttpRequest,
        picks: list[Pick],
        *,
        is_enabled: bool,
        cascade: bool,
        reason: str = "",
        reason_form: ReasonForm | None = None,
        is_new: bool = False,
    ) -> HttpResponse:
        """Show every platform's plan, and ask."""
        if len({pick.platform_id for pick in picks}) > MAX_PLATFORMS:
            return self._too_many(request, back=reverse("admin:modules_platformmodule_changelist"))
        lines = self._lines(request, picks)
        if not lines:
            messages.error(request, "Choose at least one platform, and a module.")
            return HttpResponseRedirect(reverse("admin:modules_platformmodule_changelist"))
        for line in lines:
            if not line.refusal:
                self._preview(line, Actor.of(request), is_enabled, cascade)
        return self._render(
            request,
            "plan",
            is_enabled,
            {
                "title": _title(is_enabled, [pick.module for pick in picks]),
                "lines": lines,
                # One field a platform: Django takes a thousand fields of a form, and no more.
                "picks": [f"{line.platform.pk}:{','.join(line.modules)}" for line in lines],
                "ready": sum(line.can_be_done for line in lines),
                "cascade": cascade,
                "offers_cascade": not is_enabled and (cascade or any(line.needs_cascade for line in lines)),
                "is_new": is_new,
                "reason_form": reason_form or ReasonForm(initial={"reason": reason}),
            },
        )

    def _too_many(self, request: HttpRequest, *, back: str) -> HttpResponse:
        messages.error(request, f"Choose at most {MAX_PLATFORMS} platforms at once: a plan is made to be read.")
        return HttpResponseRedirect(back)

    def _render(self, request: HttpRequest, page: str, is_enabled: bool, context: Mapping[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request,
            f"admin/modules/platformmodule/bulk_{page}.html",
            {
                **self.site.each_context(request),
                "opts": self.opts,
                "action": "on" if is_enabled else "off",
                "bulk_url": reverse("admin:modules_platformmodule_bulk"),
                "list_url": reverse("admin:modules_platformmodule_changelist"),
                **context,
            },
        )


def _title(is_enabled: bool, modules: Iterable[str] = ()) -> str:
    names = list(dict.fromkeys(map(name_of, modules)))
    what = names[0] if len(names) == 1 else "modules" if names else "a module"
    return f"Switch {what} {'on' if is_enabled else 'off'}"


def _withheld(actor: Actor, modules: Iterable[str]) -> str:
    """Return why some of these modules cannot be switched by the actor; empty where all can."""
    names = [name_of(code) for code in modules if is_withheld(actor, registry.get(code))]
    return f"Only superusers switch or configure {', '.join(names)}." if names else ""


def _picks(texts: Iterable[str]) -> list[Pick]:
    """Return what the page sent, without what is no pick."""
    found = []
    for text in texts:
        number, _, modules = text.partition(":")
        if (platform_id := row_number(number)) is not None:
            found += [Pick(platform_id, module) for module in modules.split(",") if module]
    return found


def _counted(lines: list[Line]) -> dict[str, int]:
    done = sum(line.outcome is not None for line in lines)
    nothing = sum(line.outcome is None and not line.refusal and not line.blockers for line in lines)
    return {"done": done, "nothing": nothing, "refused": len(lines) - done - nothing}
