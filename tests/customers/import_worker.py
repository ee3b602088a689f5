"""A worker of its own that does an import, as slowly as a test needs to kill it in the middle."""

import sys
import time

import django


def main(run: str, seconds: str) -> int:
    """Work on an import, and rest after each of its chunks, inside of its transaction."""
    django.setup()
    from customers import imports
    from customers.imports import running

    count = running._count

    def slowly(*arguments: object) -> None:
        count(*arguments)
        time.sleep(float(seconds))

    running._count = slowly
    imports.work_on(run)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
