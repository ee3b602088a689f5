"""The forms that ask for moments of a platform, and how pages put one into words and addresses."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.http import urlencode

from modules import timeline
from modules.models import Change
from modules.timeline import Moment, Standing
from platforms import access
from platforms.access import Actor, Right
from platforms.admin_base import row_number
from platforms.models import Platform

MOST_OFFERED = 200


class MomentField(forms.Field):
    """A time in UTC, to be typed or picked; its value is a Moment, None where nothing was typed."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1", "class": "vMomentField"})

    def to_python(self, value: Any) -> Moment | None:
        """Return the moment. Raises ValidationError for none, or for one that has not come."""
        text = str(value or "").strip()
        return timeline.moment_of(text) if text else None


class MomentForm(forms.Form):
    """At which moment to look at a platform."""

    at = MomentField(required=False, label="Time (UTC)", help_text="Empty means now.")

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that the template prints."""
        return [{"field": self[name]} for name in self.fields]


class CompareForm(MomentForm):
    """Which two moments to compare, of one platform or of two."""

    other = forms.ModelChoiceField(
        queryset=Platform.objects.none(),
        to_field_name="code",
        required=False,
        label="With the platform",
        help_text="By its code. Empty means this platform.",
        widget=AdminTextInputWidget(attrs={"list": "platforms-in-scope", "autocomplete": "off", "spellcheck": "false"}),
        error_messages={"invalid_choice": "There is no platform of this code."},
    )
    other_at = MomentField(required=False, label="At the time (UTC)", help_text="Empty means now.")

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["at"].label = "This platform at the time (UTC)"
        field: Any = self.fields["other"]
        field.queryset = access.scope(Actor.of(request), Platform.objects.order_by("name"), Right.VIEW)

    def offered(self) -> list[Platform]:
        """Return the platforms that the field suggests; the code of any other in scope can be typed."""
        field: Any = self.fields["other"]
        return list(field.queryset[:MOST_OFFERED])


def named_change(request: HttpRequest, platform: Platform, name: str) -> Moment | None:
    """Return the moment right after the change that the address names; None where it names none. Raises Http404."""
    text = request.GET.get(name)
    if text is None:
        return None
    return moment_after(platform, row_number(text))


def moment_after(platform: Platform, number: int | None) -> Moment:
    """Return the moment right after a change of the platform. Raises Http404 where there is none."""
    try:
        if number is not None:
            return timeline.after_change(platform, number)
    except Change.DoesNotExist:
        pass
    raise Http404("No such change.")


def typed(moment: Moment | None) -> str:
    """Return a moment as the form's inputs hold it: to the second, so that nothing that had happened is left out."""
    if moment is None:
        return ""
    at = moment.at if not moment.at.microsecond else moment.at.replace(microsecond=0) + timedelta(seconds=1)
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def words(moment: Moment | None) -> str:
    """Return a moment as people say it."""
    if moment is None:
        return "now"
    after = f", after change {moment.change}" if moment.change is not None else ""
    return f"{date_format(moment.at, 'j M Y, H:i:s')} UTC{after}"


def title_of(side: Standing, *, is_named: bool) -> str:
    """Return what heads one side of a comparison."""
    text = words(side.moment)
    return f"{side.platform.name}, {text}" if is_named else text[:1].upper() + text[1:]


def address(page: str, platform: Platform, **query: Any) -> str:
    """Return the address of a page of the platform's time: timeline, moment or compare."""
    base = reverse(f"admin:modules_change_{page}", args=[platform.code])
    return f"{base}?{urlencode(query)}" if query else base


def back_address(platform: Platform, number: int, module: str = "") -> str:
    """Return the address that asks whether to go back to how things stood after a change."""
    base = reverse("admin:modules_change_back", args=[platform.code, number])
    return f"{base}?{urlencode({'module': module})}" if module else base


def query_of(moment: Moment) -> dict[str, Any]:
    """Return what names the moment in an address."""
    return {"at": typed(moment)} if moment.change is None else {"change": moment.change}


def trail(platform: Platform, *, last: str = "") -> list[dict[str, str]]:
    """Return the breadcrumbs of a page of the platform's time."""
    crumbs = [
        {"text": "Platforms", "url": reverse("admin:platforms_platform_changelist")},
        {"text": platform.name, "url": reverse("admin:platforms_platform_change", args=[platform.pk])},
        {"text": "Timeline", "url": address("timeline", platform) if last else ""},
    ]
    return [*crumbs, {"text": last, "url": ""}] if last else crumbs
