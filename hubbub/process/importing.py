"""Imports of modules that settings name: a failure is one line, with the file and line of the cause. A leaf."""

import os
import sysconfig
import traceback
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from hubbub.process.refusals import BadDeclaration, CannotServe

MAX_CAUSE_CHARS = 300
ENGINE_FOLDER = Path(__file__).resolve().parent.parent
# Folders of code that is not the project's.
LIBRARIES = ("site-packages", "dist-packages")
PYTHON_FOLDER = Path(sysconfig.get_path("stdlib"))


class CannotImport(ImproperlyConfigured):
    """A module that a setting names cannot be imported, or lacks a name. The text is one line."""


def load(setting: str, module: str, name: str = "") -> Any:
    """Import an object.

    Args:
        setting: the setting and its value, for the text of an error.
        module: the dotted path of its module.
        name: of the object in the module, perhaps dotted; "": the module itself.

    Raises:
        CannotImport: the import fails by any error, or the module has no such name.
        BadDeclaration: the module, or one that it imports, declares a topic that cannot work.
        CannotServe: the module refuses the settings.
    """
    try:
        found: Any = import_module(module)
    except (BadDeclaration, CannotServe):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
            raise CannotImport(f"{setting}: there is no module {error.name!r}.") from None
        raise CannotImport(f"{setting} cannot be imported: {cause_of_import(error)}.") from error
    for part in name.split(".") if name else ():
        try:
            found = getattr(found, part)
        except AttributeError:
            raise CannotImport(f"{setting}: the module {module!r} has no {name!r}.") from None
    return found


def load_application() -> Any:
    """Import the application of settings.ASGI_APPLICATION.

    Returns:
        The application; None: the setting is not set.

    Raises:
        CannotImport, BadDeclaration, CannotServe: as `load`; or it is no application.
    """
    path = getattr(settings, "ASGI_APPLICATION", None)
    if not path:
        return None
    setting = f"ASGI_APPLICATION={path!r}"
    module, _, name = path.rpartition(".") if isinstance(path, str) else ("", "", "")
    if not module or not name:
        raise CannotImport(f"{setting} is no dotted path, such as 'mysite.asgi.application'.")
    return checked_application(setting, load(setting, module, name))


def application_for_a_check() -> Any:
    """As `load_application`. Warnings of modules that it imports are shown by servers, and not by each command."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_application()


def checked_application(setting: str, found: Any) -> Any:
    """Return `found`, which the `setting` names. Raises CannotImport: it is no application."""
    if not callable(found):
        raise CannotImport(f"{setting} is {type(found).__name__}, and no ASGI application.")
    return found


def cause_of_import(error: BaseException) -> str:
    """The error of an import in one line, with the innermost line of the project's own code that led to it."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({_place(error.filename or '?', error.lineno)})"
    text = " ".join(str(error).split())[:MAX_CAUSE_CHARS].rstrip(".")
    if not isinstance(error, ImproperlyConfigured | SystemExit) or not text:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    own = [frame for frame in frames if _is_of_project(Path(frame.filename))]
    if not (innermost := (own or frames)[-1:]):
        return text
    return f"{text} ({_place(innermost[0].filename, innermost[0].lineno)})"


def _is_of_project(path: Path) -> bool:
    is_library = any(folder in path.parts for folder in LIBRARIES) or path.is_relative_to(PYTHON_FOLDER)
    return not is_library and not path.is_relative_to(ENGINE_FOLDER)


def _place(filename: str, line: int | None) -> str:
    path = Path(filename)
    shown = os.path.relpath(path) if path.is_relative_to(Path.cwd()) else filename
    return f"{shown}, line {line}"
