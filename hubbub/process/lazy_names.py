"""Public names of a package, loaded at their first use. A leaf."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package whose modules need models, or settings that are not loaded yet.

    Args:
        package: its name.
        modules: by public name, the module that has it.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(modules[name]), name)
        import_module(package).__dict__[name] = value
        return value

    return load
