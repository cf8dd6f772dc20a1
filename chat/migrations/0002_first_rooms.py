"""The rooms that a new installation begins with."""

from django.db import migrations

FIRST_ROOMS = [
    ("general", "General", "Everybody, about everything"),
    ("operations", "Operations", "What runs, what does not, and who is on it"),
]


def create_first_rooms(apps, schema_editor):
    # A historical model has no services; nobody can be listening yet either.
    Room = apps.get_model("chat", "Room")
    for slug, title, topic in FIRST_ROOMS:
        Room.objects.get_or_create(slug=slug, defaults={"title": title, "topic": topic})


class Migration(migrations.Migration):
    dependencies = [("chat", "0001_initial")]
    operations = [migrations.RunPython(create_first_rooms, migrations.RunPython.noop)]
