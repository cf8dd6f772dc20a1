import hubbub.text
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0007_room_description'),
    ]

    operations = [
        migrations.AlterField(
            model_name='membership',
            name='ban_reason',
            field=models.CharField(blank=True, db_default='', default='', help_text='Shown to staff only, never to the banned user.', max_length=200, validators=[hubbub.text.validate_name], verbose_name='reason of the ban'),
        ),
        migrations.AlterField(
            model_name='membership',
            name='banned_until',
            field=models.DateTimeField(blank=True, help_text='The user cannot enter or read the room until then.', null=True),
        ),
        migrations.AlterField(
            model_name='room',
            name='is_archived',
            field=models.BooleanField(default=False, help_text='Read-only: nobody can post.', verbose_name='archived'),
        ),
    ]
