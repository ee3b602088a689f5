#!/usr/bin/env python
"""Switchyard's command line: `python manage.py help`."""

import os
import sys


def main() -> None:
    """Run the management command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    if sys.argv[1:2] != ["runserver"]:
        # A migration or an import takes as long as it takes; only requests have to be quick.
        os.environ.setdefault("DATABASE_TIMEOUTS", "false")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
