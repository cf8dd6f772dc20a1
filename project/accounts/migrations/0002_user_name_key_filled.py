from django.db import migrations

from project.accounts.name_keys import fill_name_keys


def fill(apps, schema_editor):
    """Of look-alikes the oldest gets the key. `manage.py check --database default` lists the others."""
    fill_name_keys(apps.get_model("accounts", "User"))


class Migration(migrations.Migration):
    # Each batch is a transaction of its own: processes of the release before write to the table meanwhile.
    atomic = False

    dependencies = [("accounts", "0002_user_name_key")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
