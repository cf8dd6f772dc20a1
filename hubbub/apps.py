from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from hubbub import conf, protocol
from hubbub.process import host, primary_reads, times
from hubbub.process.extras import missing
from hubbub.process.importing import CannotImport, cause_of_import, load
from hubbub.process.refusals import CannotServe

POSTGRESQL = "django.db.backends.postgresql"


class HubbubConfig(AppConfig):
    name = "hubbub"
    # As in the migrations: else a site with another default would get new ones, written into the installed package.
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        # Before any model is imported: Django imports the driver for the first one.
        for alias, database in settings.DATABASES.items():
            if database.get("ENGINE") == POSTGRESQL and (line := _missing_driver(alias)):
                raise CannotServe(line)

    def import_models(self) -> None:
        from hubbub.checks import missing_apps

        # Without these apps no model can be imported and no check can run; `check` reports the others.
        if absent := [name for name in missing_apps() if name != "django.contrib.sessions"]:
            raise CannotServe(f"hubbub needs {' and '.join(map(repr, absent))} in INSTALLED_APPS.")
        host.store_in(conf.settings.usable().var_dir)  # Wrong settings are reported by `check` and by servers.
        super().import_models()

    def ready(self) -> None:
        times.connect(protocol.prepare_by)
        if line := _wrong_router():  # Django's own checks would raise its error.
            raise CannotServe(line)
        primary_reads.install()
        from hubbub import checks  # Registers the checks.

        if not checks.missing_apps():  # Else importing the models would fail before the checks report it.
            from hubbub import signals
            from hubbub.topics import checks as topic_checks  # noqa: F401 - registers those of topics
            from hubbub.topics import follows

            signals.connect()
            autodiscover_modules("topics")  # Those that the apps declare.
            follows.connect()


def _missing_driver(alias: str) -> str | None:
    """The line for a database whose driver is not installed. Django takes psycopg2, too."""
    if missing("postgres", "psycopg2", "") is None:
        return None
    return missing("postgres", "psycopg", f"DATABASES[{alias!r}]")


def _wrong_router() -> str | None:
    """The line for a router that cannot be imported or made."""
    paths = settings.DATABASE_ROUTERS
    if not isinstance(paths, list | tuple):
        return f"DATABASE_ROUTERS={paths!r}: a list of dotted paths is allowed."
    for path in paths:
        if not isinstance(path, str):
            continue
        setting = f"DATABASE_ROUTERS: {path!r}"
        module, _, name = path.rpartition(".")
        if not module or not name:
            return f"{setting} is no dotted path, such as 'mysite.routers.Router'."
        try:
            load(setting, module, name)()
        except CannotImport as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - of the site's own code
            return f"{setting} cannot be made: {cause_of_import(error)}."
    return None
