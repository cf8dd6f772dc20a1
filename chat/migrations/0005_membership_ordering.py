from django.db import migrations


class Migration(migrations.Migration):
    """Changes nothing in the database. User models need not have a `username`: the admin sorts by their own names."""

    dependencies = [
        ('chat', '0004_room_access_version'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='membership',
            options={'ordering': ['pk']},
        ),
    ]
