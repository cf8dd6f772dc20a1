"""What other projects may import of the engine: the documented modules, and of each the names in `__all__`."""

import ast
from importlib import import_module

MODULES = {
    "hubbub",
    *(
        f"hubbub.{name}"
        for name in (
            *(
                "admin_services",
                "asgi",
                "auth",
                "conf",
                "consumers",
                "layer",
                "process",
                "protocol",
                "queries",
                "redis",
            ),
            *("signals", "testing", "text", "topics", "users"),
        )
    ),
}


def private_imports(source: str) -> list[str]:
    """The imports of a file that are not public names of the engine."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "hubbub"]
            found += [name for name in names if name not in MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "hubbub":
            module = import_module(node.module) if node.module in MODULES else None
            public = getattr(module, "__all__", vars(module)) if module else ()
            names = [alias.name for alias in node.names if f"{node.module}.{alias.name}" not in MODULES]
            found += [f"{node.module}.{name}" for name in names if name not in public]
    return found
