"""Packages that only some parts need, and that are installed by an extra. A leaf."""

from importlib.util import find_spec


def missing(extra: str, module: str, part: str) -> str | None:
    """Say in one line how to install what a part needs.

    Args:
        extra: of the package, such as "server".
        module: that the extra installs.
        part: that needs it.

    Returns:
        The line; None: it is installed.
    """
    try:
        is_installed = find_spec(module) is not None
    except ValueError:
        is_installed = False  # Blocked: `sys.modules` has None in its place.
    if is_installed:
        return None
    return f'{part} needs {module}: pip install "django-hubbub[{extra}]"'
