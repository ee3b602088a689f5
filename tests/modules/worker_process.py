"""A real cluster of workers in which the modules of `tests.modules.listening` are installed too."""

import sys

import django
from django.core.management import call_command


def main() -> int:
    """Run the cluster until it is stopped."""
    django.setup()
    from modules.registry import registry
    from tests.modules.listening import post, shop

    with registry.register_temporarily(shop(), post("on_sold_held")):
        call_command("worker")
    return 0


if __name__ == "__main__":
    sys.exit(main())
