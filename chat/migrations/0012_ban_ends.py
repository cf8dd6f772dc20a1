from typing import Any

from django.db import migrations, models


class AddIndexConcurrently(migrations.AddIndex):
    """As PostgreSQL's own operation, which blocks no writer; other databases add the index as ever."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            is_postgresql = schema_editor.connection.vendor == "postgresql"
            schema_editor.add_index(model, self.index, **({"concurrently": True} if is_postgresql else {}))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("chat", "0011_untold_states"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="membership",
            index=models.Index(
                condition=~models.Q(banned_until=None), fields=["banned_until"], name="membership_ban_ends"
            ),
        ),
    ]
