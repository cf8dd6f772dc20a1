from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("realtime", "0002_accesstoken_scopes")]

    operations = [
        migrations.CreateModel(
            name="SiteIdentity",
            fields=[
                ("id", models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("site_id", models.CharField(editable=False, max_length=32)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="realtime_one_site")],
            },
        ),
    ]
