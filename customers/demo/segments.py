"""The demo story's segments: whom each platform's staff ask for again and again. The same ones every time."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from customers.models import Segment
from modules import gate
from platforms.demo import Story
from platforms.models import Platform

_NEWS = {"field": "consent", "operator": "given", "value": {"channel": "email", "purpose": "marketing"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A segment of the story."""

    name: str
    description: str
    rules: Sequence[Mapping[str, Any]]
    match: str = Segment.Match.ALL


_SEGMENTS: Mapping[str, Sequence[Kept]] = {
    "kestrel": (
        Kept(
            name="Newsletter",
            description="Who confirmed that they want it, and may be written to.",
            rules=(_NEWS, {"field": "status", "operator": "is", "value": ["active"]}),
        ),
        Kept(
            name="Gold or silver in Germany",
            description="For the loyalty evening in Hamburg.",
            rules=(
                {"field": "tag", "operator": "has", "value": ["Gold", "Silver"]},
                {"field": "country", "operator": "is", "value": ["DE"]},
            ),
        ),
        Kept(
            name="Handle with care",
            description="Ring them before anything else.",
            match=Segment.Match.ANY,
            rules=(
                {"field": "tag", "operator": "has", "value": ["Complained"]},
                {"field": "status", "operator": "is", "value": ["blocked"]},
            ),
        ),
    ),
    "tidewater": (
        Kept(
            name="Wholesale without a newsletter",
            description="To be asked on the telephone.",
            rules=(
                {"field": "tag", "operator": "has", "value": ["Wholesale"]},
                {**_NEWS, "operator": "not_given"},
                {"field": "phone", "operator": "is_set"},
            ),
        ),
        Kept(
            name="Brittany",
            description="Where the autumn fair is.",
            rules=({"field": "city", "operator": "is", "value": ["Brest", "Rennes"]},),
        ),
    ),
    "quarry": (
        Kept(
            name="Trade accounts in order",
            description="Who may order on account.",
            rules=(
                {"field": "tag", "operator": "has", "value": ["Trade account"]},
                {"field": "tag", "operator": "has_not", "value": ["On stop"]},
            ),
        ),
        Kept(
            name="Without an e-mail address",
            description="Their invoices go by post.",
            rules=({"field": "email", "operator": "is_not_set"},),
        ),
    ),
}


def load(story: Story) -> None:
    """Give each platform of the story that has the module on, and no segment yet, its segments."""
    for platform in Platform.objects.filter(code__in=_SEGMENTS).order_by("pk"):
        if not gate.is_enabled(platform, "customers") or Segment.objects.filter(platform=platform).exists():
            continue
        told = [
            Segment(
                id=uuid.uuid5(uuid.NAMESPACE_URL, f"segment {kept.name} of {platform.code}"),
                platform=platform,
                name=kept.name,
                description=kept.description,
                match=kept.match,
                rules=list(kept.rules),
                created_at=story.start,
                updated_at=story.start,
            )
            for kept in _SEGMENTS[platform.code]
        ]
        for segment in told:
            segment.clean()
        # Past the service: a tag that somebody has deleted since would stop it.
        Segment.objects.bulk_create(told)
