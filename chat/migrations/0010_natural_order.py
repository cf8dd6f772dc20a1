from typing import Any

from django.db import migrations

from chat.models import room_sort_key


def fill(apps: Any, schema_editor: Any) -> None:
    """Give each room its place in the natural order."""
    rooms = apps.get_model("chat", "Room")._base_manager.using(schema_editor.connection.alias)
    for room in rooms.filter(sort_key="").only("title", "slug").iterator():
        rooms.filter(pk=room.pk, title=room.title).update(sort_key=room_sort_key(room.title, room.slug))


class Migration(migrations.Migration):
    """Writes only rows that have no key: a room takes its key whenever it is saved."""

    dependencies = [
        ("chat", "0009_rooms_that_live"),
    ]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
