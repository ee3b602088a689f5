"""How an error says what there is to choose from."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db.models import Field, Model

from platforms.validators import MOST_ECHOED

# How many are named; of countries, say, nobody reads all.
MOST_NAMED = 20


def name_all(values: Iterable[object]) -> str:
    """Return the values with commas between them; of more than 20 the first ones, and how many more there are."""
    names = [str(value) for value in values]
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"


def refusal(choices: Iterable[object]) -> str:
    """Return how to refuse what is none of these, as Django's messages have it: `%(value)s` is what was sent."""
    names = name_all(choice for choice in choices if choice not in ("", None)).replace("%", "%%")
    return f"“%(value).{MOST_ECHOED}s” is not a valid choice: name one of {names}."


def have_named(error: ValidationError, model: type[Model]) -> None:
    """Have what a model refuses name its choices, as forms and serializers do; a field's own words stay."""
    for name, found in error.error_dict.items():
        for one in found:
            if one.message == Field.default_error_messages["invalid_choice"]:
                field: Field = model._meta.get_field(name)  # type: ignore[assignment]  # what was judged is a column
                one.message = refusal(value for value, _ in field.flatchoices)
