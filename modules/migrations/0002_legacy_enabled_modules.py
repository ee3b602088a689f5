import logging

from django.db import migrations

from modules import legacy
from modules.mirror import mirror
from modules.tables import Tables

logger = logging.getLogger(__name__)


def take_over_settings(apps, schema_editor):
    """Bring what old platforms kept in their settings into rows, and say in one line if something stays there."""
    # Rows point at modules, and the table of modules is filled only after migrate.
    mirror(apps, schema_editor.connection.alias)
    changed = tidied = findings = 0
    for done in legacy.migrate(origin=legacy.origin("migration modules.0002"), tables=Tables.of(apps)):
        changed += bool(done.steps)
        tidied += done.is_changed and not done.steps
        findings += sum(not finding.taken for finding in done.findings)
    if changed or tidied or findings:
        logger.warning(
            "Took over the modules of %d platforms from their old settings, and tidied those of %d more; "
            "%d entries stay there. "
            "`manage.py migrate_enabled_modules --dry-run` names them.",
            changed,
            tidied,
            findings,
        )


class Migration(migrations.Migration):
    # Each batch is a transaction of its own, so that a million platforms need not be one, and what was interrupted goes on.
    atomic = False

    dependencies = [("modules", "0001_initial"), ("platforms", "0001_initial")]

    operations = [
        # Back: nothing. What the rows say now may be newer than what the settings said, and both stay readable.
        migrations.RunPython(take_over_settings, migrations.RunPython.noop, elidable=False),
    ]
