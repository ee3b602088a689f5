"""Words that a platform puts on customers. Segments name them, so that a tag is renamed in their rules, too."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from customers.keys import name_key
from customers.models import Segment, Tag
from customers.rules import Rule, names_in


@transaction.atomic
def rename_tag(*, tag: Tag, name: str) -> Tag:
    """Call a tag something else, and in the rules of the platform's segments as well.

    Raises ValidationError where another tag has the name, Tag.DoesNotExist where it is gone.
    """
    before = Tag.objects.select_for_update(no_key=True).get(pk=tag.pk)
    tag.name = name
    tag.full_clean()
    tag.save(update_fields=["name", "key"])
    for segment in Segment.objects.select_for_update(no_key=True).filter(platform=before.platform_id).order_by("pk"):
        rules = [_renamed(rule, before.key, tag.name) for rule in segment.rules]
        if rules != segment.rules:
            segment.rules, segment.updated_at = rules, timezone.now()
            segment.save(update_fields=["rules", "updated_at"])
    return tag


def _renamed(rule: Rule, key: str, name: str) -> dict[str, Any]:
    names = [name if name_key(one) == key else one for one in names_in(rule, "tags")]
    return {**rule, "value": names} if names else dict(rule)
