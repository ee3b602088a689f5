"""Files of customers on their way in: taken apart when they arrive, checked and written in the background.

A file is read once, while it is uploaded; from then on its rows are rows of our own, in chunks, which every worker of
every machine can reach, which are gone when the import has ended, and out of which a person can be forgotten. A chunk,
what is counted and where to go on are one transaction: whatever dies, no row is lost, and none is written twice.
"""

from customers.imports.leftovers import error_file, expire, forget, lock_open_runs, told
from customers.imports.receiving import MAX_UPLOAD_BYTES, Received, received
from customers.imports.running import COMPLETED, begin, cancel, start, stuck_imports, work_on
from customers.imports.sought import Sought

__all__ = [
    "COMPLETED",
    "MAX_UPLOAD_BYTES",
    "Received",
    "Sought",
    "begin",
    "cancel",
    "error_file",
    "expire",
    "forget",
    "lock_open_runs",
    "received",
    "start",
    "stuck_imports",
    "told",
    "work_on",
]
