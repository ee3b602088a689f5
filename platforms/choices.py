"""How an error says what there is to choose from."""

from collections.abc import Iterable

# How many are named; of countries, say, nobody reads all.
MOST_NAMED = 20


def name_all(values: Iterable[object]) -> str:
    """Return the values with commas between them; of more than 20 the first ones, and how many more there are."""
    names = [str(value) for value in values]
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
