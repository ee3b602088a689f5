"""A platform's time: every change in a row, how all modules stood at a moment, and what differs between two."""

from collections.abc import Mapping
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from modules import differences, timeline
from modules.admin import moments, wording
from modules.admin.moments import CompareForm, MomentForm
from modules.admin.places import find_platform, linked
from modules.models import Change
from modules.selectors import ModuleStateRow
from modules.timeline import Standing
from platforms import access
from platforms.access import Actor, Right
from platforms.models import Platform

CHANGES_PER_PAGE = 25


class TimePages:
    """The pages to be read; `admin` lends them its site and its templates' context."""

    def __init__(self, admin: ModelAdmin) -> None:
        self.admin = admin

    def timeline(self, request: HttpRequest, platform: str) -> HttpResponse:
        """Show one page of the platform's changes, the newest first, each with the ways that lead from it."""
        found = find_platform(request, platform)
        # Numbers have no gaps, so a page is a range of them: nothing is counted, and nothing skipped.
        pages = Paginator(range(found.revision, 0, -1), CHANGES_PER_PAGE)
        page = pages.get_page(request.GET.get("page"))
        numbers = page.object_list
        changes = Change.objects.filter(platform=found, number__in=list(numbers)).order_by("-number")
        may_go_back = access.may(Actor.of(request), Right.SWITCH, found)
        context = {
            "title": found.name,
            "subtitle": "Timeline",
            "lines": [
                wording.change_line(change) | ways_from(found, change.number, may_go_back=may_go_back)
                for change in changes
            ],
            "moment_url": moments.address("moment", found),
            "compare_url": moments.address("compare", found),
            "page_obj": page,
            "page_range": pages.get_elided_page_range(page.number),
            "trail": moments.trail(found),
        }
        return self._render(request, "timeline", found, context)

    def moment(self, request: HttpRequest, platform: str) -> HttpResponse:
        """Show how every module stood at a moment."""
        found = find_platform(request, platform)
        moment = moments.named_change(request, found, "change")
        form = MomentForm({"at": moments.typed(moment) if moment else request.GET.get("at", "")})
        is_valid = form.is_valid()
        if moment is None and is_valid:
            moment = form.cleaned_data["at"]
        standing = timeline.standing(found, moment) if is_valid else None
        context: dict[str, Any] = {
            "title": found.name,
            "subtitle": "At a moment",
            "form": form,
            "standing": standing,
            "trail": moments.trail(found, last="At a moment"),
        }
        if standing is not None:
            may_go_back = access.may(Actor.of(request), Right.SWITCH, found)
            context |= {
                "heading": moments.words(moment),
                "lines": [_state_line(row) for row in standing.states],
                "ways": ways_from(found, standing.revision, may_go_back=may_go_back),
                "compare_url": moments.address("compare", found, **moments.query_of(moment)) if moment else "",
            }
        return self._render(request, "moment", found, context)

    def compare(self, request: HttpRequest, platform: str) -> HttpResponse:
        """Show what differs between two moments of the platform, or between it and another one."""
        found = find_platform(request, platform)
        after = moments.named_change(request, found, "change")
        asked = {name: request.GET.get(name, "") for name in ("at", "other", "other_at")}
        form = CompareForm(asked | ({"at": moments.typed(after)} if after else {}), request=request)
        context: dict[str, Any] = {
            "title": found.name,
            "subtitle": "Compare",
            "form": form,
            "trail": moments.trail(found, last="Compare"),
        }
        if form.is_valid():
            said = form.cleaned_data
            sides = [(found, after or said["at"]), (said["other"] or found, said["other_at"])]
            context |= self._compared(*(timeline.standing(*side) for side in sides))
        return self._render(request, "compare", found, context)

    def _compared(self, left: Standing, right: Standing) -> dict[str, Any]:
        is_named = left.platform != right.platform
        return {
            "left": moments.title_of(left, is_named=is_named),
            "right": moments.title_of(right, is_named=is_named),
            "is_same": (left.platform, left.moment) == (right.platform, right.moment),
            "lines": [
                {
                    "module": linked(left.platform.code, item.module) | {"name": item.name},
                    "diff": wording.difference_lines(item.differences),
                }
                for item in timeline.compare(left, right)
            ],
        }

    def _render(
        self, request: HttpRequest, page: str, platform: Platform, context: Mapping[str, Any]
    ) -> TemplateResponse:
        return TemplateResponse(
            request,
            f"admin/modules/change/{page}.html",
            {
                **self.admin.admin_site.each_context(request),
                "opts": self.admin.opts,
                "platform": platform,
                "timeline_url": moments.address("timeline", platform),
                **context,
            },
        )


def ways_from(platform: Platform, number: int, *, may_go_back: bool) -> dict[str, str]:
    """Return the addresses that lead on from a change; empty where there is nothing to see or to do."""
    is_past = 0 < number < platform.revision
    return {
        "moment_url": moments.address("moment", platform, change=number) if number else "",
        "compare_url": moments.address("compare", platform, change=number) if is_past else "",
        "back_url": moments.back_address(platform, number) if is_past and may_go_back else "",
    }


def _state_line(row: ModuleStateRow) -> dict[str, Any]:
    """Return a module as it stood: its state, since when and by whom, and what was set."""
    fingerprints = {name: secret.fingerprint for name, secret in row.secrets.items() if secret.fingerprint}
    said = differences.keys_of(is_enabled=row.is_enabled, config=row.config, fingerprints=fingerprints)
    return {
        "module": linked(row.platform, row.module) | {"name": row.name},
        "pill": wording.state_pill(row.module, is_enabled=row.is_enabled),
        **wording.since(row),
        "set": [
            {"key": wording.key_text(key), "text": wording.value_text(key, value)}
            for key, value in said.items()
            if key != "is_enabled"
        ],
    }
