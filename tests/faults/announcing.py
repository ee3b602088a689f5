"""`manage.py` that says on stdout when its work begins, with a connection to the database, and when it is done."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db.backends.signals import connection_created


def _begins(**kwargs: object) -> None:
    connection_created.disconnect(dispatch_uid="announcing")
    os.write(1, b"begins\n")


if __name__ == "__main__":
    connection_created.connect(_begins, dispatch_uid="announcing")
    execute_from_command_line(sys.argv)
    # What the command said goes first, also where Python keeps it until the end.
    sys.stdout.flush()
    os.write(1, b"done\n")
