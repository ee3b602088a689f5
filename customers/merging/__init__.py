"""Two customers become one, and two again where that was wrong: shown first, whole, and with a trail.

Half of a merge is never seen: the two are locked in the order of their keys, and all of it is one transaction. What
moves keeps its id, so that what points at it still does, and that it can go back.
"""

from customers.merging.blockers import Blocked, Blocker
from customers.merging.merges import MERGED, UNMERGED, forget, known_before, merge, preview_undo, undo
from customers.merging.previews import KEPT, MERGED_SIDE, SIDES, Preview, preview

__all__ = [
    "KEPT",
    "MERGED",
    "MERGED_SIDE",
    "SIDES",
    "UNMERGED",
    "Blocked",
    "Blocker",
    "Preview",
    "forget",
    "known_before",
    "merge",
    "preview",
    "preview_undo",
    "undo",
]
