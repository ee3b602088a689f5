"""A module's page on a platform: shows it, takes the form, plans, asks where other modules would move, and saves.

What may be switched and what moves with it is for `modules.services` to say; here it is only put to people.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse

from modules import selectors, services
from modules.admin import wording
from modules.admin.forms import ModuleForm, wish_of
from modules.admin.places import RESTRICTED, Place, find, trail
from modules.admin.proposals import Proposal, Unreadable
from modules.config_forms import rows_of
from modules.configs import InvalidConfig
from modules.models import Change
from modules.plans import Action, Plan, RowState
from modules.services import Blocked, Collision, StalePlan
from platforms.admin_forms import ReasonForm
from platforms.models import Platform

EXPIRED = "That page was open for more than an hour, or was altered on its way. Nothing was saved. Look at it again."
NOTHING = "Nothing to change."
SHORT_HISTORY = 5


class RowChanged(Exception):
    """Somebody else changed the module since the form was shown."""


class Pages:
    """The pages of one module on one platform; `admin` lends them its site and its templates' context."""

    def __init__(self, admin: ModelAdmin) -> None:
        self.admin = admin

    # --- the page and its form ---

    def configure(self, request: HttpRequest, platform: str, module: str) -> HttpResponse:
        """Show the module's page; on POST take its form."""
        place = find(request, platform, module)
        if request.method != "POST":
            return self._page(request, place, ModuleForm(place=place))
        if refused := self._refused(request, place):
            return refused
        form = ModuleForm(request.POST, place=place)
        if not form.is_valid():
            return self._page(request, place, form)
        return self._settle(request, place, form.proposal(), form)

    def _refused(self, request: HttpRequest, place: Place) -> HttpResponse | None:
        """Lead those away who may not change this module; None for the others.

        Raises PermissionDenied for those who may change none here.
        """
        if not place.may_switch:
            raise PermissionDenied
        if not place.is_withheld:
            return None
        messages.error(request, RESTRICTED)
        return HttpResponseRedirect(place.url("configure"))

    def _page(self, request: HttpRequest, place: Place, form: ModuleForm, **extra: Any) -> HttpResponse:
        """Draw the page: the form for those who may change the module, what it says for the others."""
        return self._render(
            request,
            "configure",
            place,
            {
                "form": form if place.may_edit else None,
                "rows": [] if place.may_edit else rows_of(place.schema, place.values()),
                "secrets": place.state.secrets.items(),
                "restricted": RESTRICTED if place.may_switch and place.is_withheld else "",
                "line": wording.module_line(place.state, place.actor, may_switch=place.may_switch),
                "history": [
                    wording.history_line(entry)
                    for entry in selectors.history_of(place.platform, place.module, SHORT_HISTORY)
                ],
                "trail": trail(place),
                **extra,
            },
        )

    # --- plans that are asked for by a link ---

    def plan(self, request: HttpRequest, platform: str, module: str, action: str) -> HttpResponse:
        """Show what switching the module on or off, or resetting it, would do, and ask."""
        place = find(request, platform, module)
        if refused := self._refused(request, place):
            return refused
        wish = wish_of(action, place.module)
        proposal = Proposal(module=place.module, is_enabled=wish.is_enabled, resets=wish.resets)
        try:
            proposal, plan, without = proposal.planned(place)
        except InvalidConfig as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(place.url("configure"))
        if not plan.steps and not plan.blockers:
            messages.info(request, NOTHING)
            return HttpResponseRedirect(self._after(place, proposal))
        return self._ask(request, place, proposal, plan, without)

    def confirm(self, request: HttpRequest, platform: str, module: str) -> HttpResponse:
        """Apply a plan that somebody was shown, or go back to what they typed."""
        place = find(request, platform, module)
        if request.method != "POST":
            return HttpResponseRedirect(place.url("configure"))
        if refused := self._refused(request, place):
            return refused
        try:
            proposal = Proposal.open(place, request.POST.get("pending", ""))
        except Unreadable:
            messages.error(request, EXPIRED)
            return HttpResponseRedirect(place.url("configure"))
        form = self._form_of(place, proposal, request.POST.get("reason", ""))
        if "back" in request.POST:
            return self._page(request, place, form) if form else HttpResponseRedirect(self._after(place, proposal))
        asked = ReasonForm(request.POST)
        if not asked.is_valid():
            return self._ask_again(request, place, proposal, form, reason_form=asked)
        return self._apply(
            request, place, proposal, form, digest=request.POST.get("digest", ""), reason=asked.cleaned_data["reason"]
        )

    def _form_of(self, place: Place, proposal: Proposal, reason: str) -> ModuleForm | None:
        """Return the form that the proposal was typed into, with what was typed; None where there was none."""
        if not proposal.data:
            return None
        data = QueryDict(mutable=True)
        for name, values in {**proposal.data, "reason": [reason]}.items():
            data.setlist(name, values)
        return ModuleForm(data, place=place, kept_secrets=dict(proposal.kept_secrets))

    # --- from a wish to a change ---

    def _settle(self, request: HttpRequest, place: Place, proposal: Proposal, form: ModuleForm) -> HttpResponse:
        """Save at once what concerns this module alone; ask where others would move; say what stands in the way."""
        if proposal.seen != place.setting.digest:
            # The service asks again under the lock; what is stale already need not be planned.
            return self._changed_meanwhile(request, place, form)
        try:
            proposal, plan, without = proposal.planned(place)
        except InvalidConfig as error:
            return self._invalid(request, place, form, error)
        if plan.blockers:
            return self._page(request, place, form, blockers=wording.blockers(plan))
        if without is not None or plan.moves_others_than([place.module]):
            return self._ask(request, place, proposal, plan, without)
        return self._apply(request, place, proposal, form, digest=plan.digest, reason=proposal.reason)

    def _apply(
        self,
        request: HttpRequest,
        place: Place,
        proposal: Proposal,
        form: ModuleForm | None,
        *,
        digest: str,
        reason: str,
    ) -> HttpResponse:
        """Have the service apply the plan that was shown, and say what came of it."""

        def is_as_shown(platform: Platform, settings: Mapping[str, RowState]) -> None:
            if form is not None and settings.get(place.module, RowState()).digest != proposal.seen:
                raise RowChanged

        try:
            outcome = services.apply(
                platform=place.platform,
                wishes=[proposal.wish],
                origin=services.origin_of_request(request, Change.Source.ADMIN, reason),
                cascade=proposal.cascade,
                digest=digest,
                precondition=is_as_shown,
            )
        except RowChanged:
            assert form is not None
            return self._changed_meanwhile(request, find(request, place.platform.code, place.module), form)
        except (StalePlan, Blocked):
            return self._ask_again(request, place, proposal, form, reason=reason, is_stale=True)
        except InvalidConfig as error:
            return self._invalid(request, place, form, error)
        except (Collision, PermissionDenied) as error:
            messages.error(request, str(error) or RESTRICTED)
            return HttpResponseRedirect(place.url("configure"))
        except Platform.DoesNotExist:
            raise Http404("The platform is gone.") from None
        if outcome.change is None:
            messages.info(request, NOTHING)
        else:
            messages.success(request, wording.success(place.platform, outcome.change))
        return HttpResponseRedirect(self._after(place, proposal))

    def _invalid(
        self, request: HttpRequest, place: Place, form: ModuleForm | None, error: InvalidConfig
    ) -> HttpResponse:
        if form is None:
            messages.error(request, str(error))
            return HttpResponseRedirect(place.url("configure"))
        if form.seen != place.setting.digest:
            return self._changed_meanwhile(request, place, form)
        form.is_valid()
        form.add_config_errors(error)
        return self._page(request, place, form)

    def _ask_again(
        self, request: HttpRequest, place: Place, proposal: Proposal, form: ModuleForm | None, **options: Any
    ) -> HttpResponse:
        """Draw the plan as things stand now."""
        try:
            proposal, plan, without = proposal.planned(place)
        except InvalidConfig as error:
            return self._invalid(request, place, form, error)
        return self._ask(request, place, proposal, plan, without, **options)

    def _after(self, place: Place, proposal: Proposal) -> str:
        """Return where to go when all is done: where people came from."""
        if proposal.data or proposal.resets:
            return place.url("configure")
        return reverse("admin:platforms_platform_change", args=[place.platform.pk])

    def _changed_meanwhile(self, request: HttpRequest, place: Place, form: ModuleForm) -> HttpResponse:
        """Draw the form again over what is stored now, with what the person typed, and tell who changed it and how.

        The new form carries the new digest: to save again is then a deliberate act.
        """
        form.is_valid()
        again = ModuleForm(place=place, initial=form.changed_values(), kept_secrets=form.typed_secrets())
        newest = selectors.history_of(place.platform, place.module, 1)
        return self._page(request, place, again, changed=[wording.history_line(entry) for entry in newest])

    def _ask(
        self,
        request: HttpRequest,
        place: Place,
        proposal: Proposal,
        plan: Plan,
        without: Plan | None,
        *,
        reason: str | None = None,
        reason_form: ReasonForm | None = None,
        is_stale: bool = False,
    ) -> HttpResponse:
        """Draw the plan: the steps, each with its cause, what stands in the way, and why they are wanted."""
        initial = {"reason": proposal.reason if reason is None else reason}
        title = _title(place, proposal)
        return self._render(
            request,
            "plan",
            place,
            {
                "title": title,
                "subtitle": None,
                "proposal": proposal,
                "pending": proposal.seal(place),
                "digest": plan.digest,
                "steps": wording.steps_to_do(plan),
                "blockers": wording.blockers(without or plan),
                "can_be_done": not plan.blockers and bool(plan.steps),
                "count_off": sum(step.action is Action.DISABLE for step in plan.steps),
                "is_stale": is_stale,
                "reason_form": reason_form or ReasonForm(initial=initial),
                "back_url": "" if proposal.data else self._after(place, proposal),
                "trail": trail(place, last=title),
            },
        )

    def _render(self, request: HttpRequest, page: str, place: Place, context: Mapping[str, Any]) -> HttpResponse:
        response = TemplateResponse(
            request,
            f"admin/modules/platformmodule/{page}.html",
            {
                **self.admin.admin_site.each_context(request),
                "opts": self.admin.opts,
                "title": place.platform.name,
                "subtitle": place.state.name,
                "place": place,
                "configure_url": place.url("configure"),
                "confirm_url": place.url("confirm"),
                **context,
            },
        )
        response["Cache-Control"] = "no-store"
        return response


def _title(place: Place, proposal: Proposal) -> str:
    name = place.state.name
    if proposal.is_enabled is not None:
        return f"Switch {name} {'on' if proposal.is_enabled else 'off'}"
    return f"Reset {name} to its defaults" if proposal.resets else f"Configure {name}"
