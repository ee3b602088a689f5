from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0008_consents_in_force"),
    ]

    operations = [
        migrations.AlterField(
            model_name="customerevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("created", "Created"),
                    ("updated", "Changed"),
                    ("blocked", "Blocked"),
                    ("unblocked", "Unblocked"),
                    ("consent", "Consent"),
                    ("note", "Note"),
                    ("merged", "Merged"),
                    ("unmerged", "Merge undone"),
                    ("exported", "Data exported"),
                    ("asked", "Privacy request"),
                    ("held", "Legal hold"),
                    ("released", "Legal hold released"),
                    ("called_off", "Privacy request called off"),
                    ("erased", "Erased"),
                ],
                max_length=10,
            ),
        ),
    ]
