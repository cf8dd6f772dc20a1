"""The Content-Security-Policy of each page. All policies are chosen here, from the setting PAGE_POLICIES."""

import functools
from collections.abc import Mapping

from django.conf import settings

Policy = Mapping[str, str]
Changes = Mapping[str, str | None]

# All content is same-origin, without inline scripts or styles; 'self' includes same-origin WebSockets.
STRICT: Policy = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # blob: is a picture that the user has chosen, before it is sent.
    "img-src": "'self' data: blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    # A text becomes markup or the address of a script only by one of these policies of `trusted.js` and lit-html.
    "trusted-types": "lit-html hubbub",
    "require-trusted-types-for": "'script'",
}
# For pages with scripts that make markup of texts, such as the jQuery of Django's admin.
WITHOUT_TRUSTED_TYPES: Changes = {"trusted-types": None, "require-trusted-types-for": None}


def policy_of(path: str) -> str:
    """Return the policy of the page at this path.

    PAGE_POLICIES has changes of STRICT by the path that they begin at, such as "/admin/". Of several the longest path
    counts. A directive that is None is left out.

    Args:
        path: below the script prefix, as `request.path_info`.
    """
    changes: Mapping[str, Changes] = settings.PAGE_POLICIES
    prefix = max((prefix for prefix in changes if path.startswith(prefix)), key=len, default=None)
    return _text(()) if prefix is None else _text(tuple(changes[prefix].items()))


@functools.lru_cache(maxsize=64)
def _text(changes: tuple[tuple[str, str | None], ...]) -> str:
    directives = {**STRICT, **dict(changes)}
    return "; ".join(f"{name} {value}" for name, value in directives.items() if value is not None)
