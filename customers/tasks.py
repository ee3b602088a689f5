"""What is done for customers in the background."""

from customers import imports
from modules.tasks import task
from platforms.models import Platform


@task("customers.import")
def import_customers(*, platform: Platform | None, run: str) -> None:
    """Check or write what is left of an import. Called again it goes on where it stopped."""
    imports.work_on(run)


@task("customers.expire_imports", is_duty=True)
def expire_imports(*, platform: Platform | None) -> None:
    """Throw away what imports kept for some weeks, also where the module is off by now."""
    imports.expire()
