from django.db import migrations, models

import hubbub.text


class Migration(migrations.Migration):
    """Renames `Room.topic` in Django's state only: the column keeps its name, so no SQL runs."""

    dependencies = [
        ("chat", "0006_bans_and_readers"),
    ]

    operations = [
        # The column first: a rename of the field alone would rename the column.
        migrations.AlterField(
            model_name="room",
            name="topic",
            field=models.CharField(
                blank=True, db_column="topic", max_length=200, validators=[hubbub.text.validate_name]
            ),
        ),
        migrations.RenameField(model_name="room", old_name="topic", new_name="description"),
    ]

    additive_because = "the column `topic` keeps its name and its type: no statement runs"
