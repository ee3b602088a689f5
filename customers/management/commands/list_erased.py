from typing import Any

from customers import erased
from platforms.management.base import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Print everybody who was erased, on every platform: a line for each customer, the platform's code and their "
        "id, which say nothing of anybody. Keep the newest list beside the backups: after one of them is restored, "
        "erase_again erases whom it names."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for line in erased.listed():
            self.stdout.write(line)
