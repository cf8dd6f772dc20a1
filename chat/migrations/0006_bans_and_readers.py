from django.db import migrations, models

import hubbub.text


class Migration(migrations.Migration):
    """Adds one column, with a default in the database: processes of the release before do not know it."""

    dependencies = [
        ("chat", "0005_membership_ordering"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="room",
            options={
                "ordering": ["title", "slug"],
                "permissions": [("read_any_room", "Can read all rooms, also private ones, without being a member")],
            },
        ),
        migrations.AlterField(
            model_name="membership",
            name="role",
            field=models.CharField(
                choices=[("member", "Member"), ("moderator", "Moderator"), ("none", "no member")],
                default="member",
                help_text="Moderators may delete the messages of others.",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="membership",
            name="ban_reason",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="For the staff. The banned user is not shown it.",
                max_length=200,
                validators=[hubbub.text.validate_name],
                verbose_name="reason of the ban",
            ),
        ),
    ]
