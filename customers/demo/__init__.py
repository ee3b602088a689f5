"""The demo story's customers."""

from customers.demo import duplicates, imports, people, privacy, segments
from platforms.demo import Story


def load(story: Story) -> None:
    """Tell the module's part of the story; what is told already stays as it is."""
    people.load(story)
    duplicates.load(story)
    privacy.load(story)
    imports.load(story)
    segments.load(story)
