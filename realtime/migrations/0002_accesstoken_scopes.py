"""Tokens get scopes. Those that exist keep what they could do: they are given all that there are."""

from django.conf import settings
from django.db import migrations, models


def give_all(apps, schema_editor):
    scopes = " ".join(sorted(getattr(settings, "TOKEN_SCOPES", {})))
    apps.get_model("realtime", "AccessToken").objects.update(scopes=scopes)


class Migration(migrations.Migration):
    dependencies = [("realtime", "0001_initial")]

    operations = [
        migrations.AddField(
            "accesstoken",
            "scopes",
            models.CharField(
                default="",
                help_text="What it may be used for: names of settings.TOKEN_SCOPES, with blanks.",
                max_length=400,
            ),
        ),
        migrations.RunPython(give_all, migrations.RunPython.noop, elidable=True),
    ]
