from itertools import islice

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Exists, OuterRef, Q

_BATCH = 500


def put_in_force(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Write down which consents are in force: those whose newest line counts, of customers who are there."""
    line, customer = apps.get_model("customers", "ConsentRecord"), apps.get_model("customers", "Customer")
    in_force = apps.get_model("customers", "ConsentInForce")
    database = schema_editor.connection.alias
    lines = line.objects.using(database)
    newer = lines.filter(
        customer_id=OuterRef("customer_id"),
        channel=OuterRef("channel"),
        purpose=OuterRef("purpose"),
        at__gt=OuterRef("at"),
    )
    there = customer.objects.using(database).filter(pk=OuterRef("customer_id")).exclude(status="erased")
    counting = lines.filter(Q(action="given", needs_confirmation=False) | Q(action="confirmed"))
    found = counting.filter(Exists(there), ~Exists(newer)).values("platform_id", "customer_id", "channel", "purpose")
    rows = (in_force(**values) for values in found.order_by("pk").iterator(chunk_size=_BATCH))
    while some := list(islice(rows, _BATCH)):
        in_force.objects.using(database).bulk_create(some)


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0007_privacy"),
        ("platforms", "0005_cache_table"),
    ]

    operations = [
        migrations.CreateModel(
            name="ConsentInForce",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "channel",
                    models.CharField(
                        choices=[("email", "E-mail"), ("sms", "SMS"), ("phone", "Phone"), ("post", "Post")],
                        max_length=10,
                    ),
                ),
                ("purpose", models.CharField(max_length=50)),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="customers.customer",
                    ),
                ),
                (
                    "platform",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="platforms.platform",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "consents in force",
                "ordering": ["channel", "purpose"],
                "indexes": [
                    models.Index(
                        fields=["platform", "channel", "purpose", "customer"], name="idx_customers_consent_in_force"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("customer", "channel", "purpose"), name="uq_customers_consent_in_force"
                    )
                ],
            },
        ),
        migrations.RunPython(put_in_force, migrations.RunPython.noop),
        migrations.RemoveIndex(model_name="consentrecord", name="idx_customers_consent_counts"),
    ]
