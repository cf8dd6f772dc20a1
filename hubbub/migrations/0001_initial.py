"""The tables of the engine. Where the app `realtime` of earlier versions has left them, they are taken over.

Then tokens go on, and deleting a user meets no row that still refers to it. Processes of an earlier version know the
tables by their old names only: they are stopped before (`manage.py release --additive` refuses this migration).
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.migrations.recorder import MigrationRecorder

FORMER_APP = "realtime"


class CreateOrTakeOver(migrations.CreateModel):
    """CreateModel, but the table of the same model in FORMER_APP is renamed where the database has one."""

    # The release refuses to run this under processes that still use that app (hubbub.supervisor.additive).
    replaces_app = FORMER_APP

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        table = former_table(model)
        found = columns(schema_editor.connection, table)
        if found is None:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        if missing := {field.column for field in model._meta.local_fields} - found:
            raise RuntimeError(
                f"The table {table} lacks {', '.join(sorted(missing))}: apply all migrations of the version before first."
            )
        schema_editor.alter_db_table(model, table, model._meta.db_table)
        for constraint in model._meta.constraints:
            former = constraint.clone()
            former.name = constraint.name.replace(app_label, FORMER_APP, 1)
            schema_editor.remove_constraint(model, former)
            schema_editor.add_constraint(model, constraint)
        move_content_type(schema_editor, FORMER_APP, app_label, model._meta.model_name)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        """Give the table back where it was taken over; else drop it."""
        model = from_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if (FORMER_APP, "0001_initial") not in MigrationRecorder(schema_editor.connection).applied_migrations():
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        for constraint in model._meta.constraints:
            former = constraint.clone()
            former.name = constraint.name.replace(app_label, FORMER_APP, 1)
            schema_editor.remove_constraint(model, constraint)
            schema_editor.add_constraint(model, former)
        schema_editor.alter_db_table(model, model._meta.db_table, former_table(model))
        move_content_type(schema_editor, app_label, FORMER_APP, model._meta.model_name)


def former_table(model):
    return f"{FORMER_APP}_{model._meta.model_name}"


def columns(connection, table):
    """The names of the columns of a table, or None where there is no such table."""
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            return None
        return {column.name for column in connection.introspection.get_table_description(cursor, table)}


def move_content_type(schema_editor, before, after, model):
    """Have permissions and the admin's history go on under the new label; they refer to the content type by its id."""
    connection = schema_editor.connection
    if columns(connection, "django_content_type") is None:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM django_content_type WHERE app_label = %s AND model = %s", [after, model])
        if cursor.fetchone() is None:
            cursor.execute(
                "UPDATE django_content_type SET app_label = %s WHERE app_label = %s AND model = %s", [after, before, model]
            )


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateOrTakeOver(
            name="AccessToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="What it is for, so that it can be told from the others.", max_length=80)),
                (
                    "scopes",
                    models.CharField(
                        default="",
                        help_text="What it may be used for: names of settings.TOKEN_SCOPES, with blanks.",
                        max_length=400,
                    ),
                ),
                ("secret_sha256", models.CharField(editable=False, max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField(blank=True, help_text="Empty: it does not expire.", null=True)),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="access_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ["-created_at"]},
        ),
        CreateOrTakeOver(
            name="SiteIdentity",
            fields=[
                ("id", models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("site_id", models.CharField(editable=False, max_length=32)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="hubbub_one_site")],
            },
        ),
    ]
