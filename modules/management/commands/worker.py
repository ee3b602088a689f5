from typing import Any

from django.core.management.base import BaseCommand

from modules import worker_pool


class Command(BaseCommand):
    help = (
        "Do in the background what follows from changes: deliver events, do tasks, run schedules. Ends on SIGTERM or "
        "Ctrl-C, once what is being done is done. Any number of them may run, on any number of machines."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        worker_pool.run()
