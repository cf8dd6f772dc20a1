"""Template tags of Hubbub: `{% load hubbub %}`."""

import functools
from dataclasses import dataclass
from typing import Any

from django import template
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.shortcuts import resolve_url
from django.templatetags.static import static
from django.urls import URLPattern, get_script_prefix
from django.urls.resolvers import RoutePattern
from django.utils import translation
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from msgspec import Struct

from hubbub import users
from hubbub.process import route_names
from hubbub.process.route_names import socket_routes
from hubbub.protocol import encode

register = template.Library()

THEMES = ("light", "dark")
CLOCKS = ("12", "24")


@register.simple_tag
def socket_path(name: str) -> str:
    """Return the path of a socket route, below the script prefix of the request.

        <div data-socket-path="{% socket_path 'polls' %}">

    Args:
        name: of a route that `hubbub.asgi.application` has, as in `path("ws/polls/", …, name="polls")`.

    Returns:
        The path with a leading slash: `/ws/polls/`, or `/team/ws/polls/` for a site below `/team`.

    Raises:
        ImproperlyConfigured: no route has this name, its path takes arguments, or ASGI_APPLICATION cannot be loaded.
    """
    routes = socket_routes()
    route = routes.get(name)
    if route is None:
        known = ", ".join(repr(known) for known in sorted(routes)) or "none"
        raise ImproperlyConfigured(f"socket_path {name!r}: no socket route has this name. Known names: {known}.")
    if not _is_fixed(route):
        raise ImproperlyConfigured(f"socket_path {name!r}: the path {str(route.pattern)!r} takes arguments.")
    return get_script_prefix() + str(route.pattern)


@register.filter
def shown_name(user: Any) -> str:
    """Return the name of a user that others see: `{{ user|shown_name }}`. Empty for a visitor and a deleted account."""
    return users.name_of(user) if user else ""


@dataclass(frozen=True, slots=True)
class PageChoices:
    """What a page looks like, for the attributes of its first element."""

    language: str
    direction: str  # "ltr" or "rtl", by the language.
    theme: str  # "light", "dark", or "system".
    clock: str  # "12", "24", or "language".

    @property
    def color_scheme(self) -> str:
        """The value of CSS's `color-scheme`."""
        return self.theme if self.theme in THEMES else "light dark"


@register.simple_tag(takes_context=True)
def page_choices(context: template.Context) -> PageChoices:
    """Return the language of the page, and the theme and clock of its reader.

        {% page_choices as choices %}<html lang="{{ choices.language }}" dir="{{ choices.direction }}"
          data-theme="{{ choices.theme }}" data-clock="{{ choices.clock }}">

    The language is the active one of Django. Theme and clock are the attributes `theme` ("light" or "dark") and `clock`
    ("12" or "24") of `request.choices`, which a middleware may set, or else of the user. Without them, and with any
    other value, the system's theme and the language's clock are used.
    """
    choices = getattr(context.get("request"), "choices", None) or context.get("user")
    theme, clock = (getattr(choices, name, "") for name in ("theme", "clock"))
    return PageChoices(
        language=translation.get_language() or settings.LANGUAGE_CODE,
        direction="rtl" if translation.get_language_bidi() else "ltr",
        theme=theme if theme in THEMES else "system",
        clock=clock if clock in CLOCKS else "language",
    )


@register.simple_tag
def text_scripts() -> SafeString:
    """Return the scripts with the texts of all apps' scripts in the page's language. Empty for English.

    In the head of a page: they run before its modules. An app has the texts as `static/<label>/texts/<language>.js`.
    """
    paths = _texts_in(translation.get_language() or settings.LANGUAGE_CODE)
    return format_html_join("\n", '<script defer src="{}"></script>', ((static(path),) for path in paths))


@functools.cache
def _texts_in(language: str) -> tuple[str, ...]:
    """The static files with texts in this language, or in the language of which it is a variant."""
    languages = dict.fromkeys((language, language.partition("-")[0]))
    found = (
        next((path for code in languages if finders.find(path := f"{app.label}/texts/{code}.js")), None)
        for app in apps.get_app_configs()
    )
    return tuple(path for path in found if path is not None)


@register.simple_tag
def live_path() -> str:
    """Return the path of the addresses for HTTP, below the script prefix of the request.

        <div data-live-path="{% live_path %}">

    A page gives it to `new Hubbub({ path, http })`, which uses it where WebSockets do not get through.

    Returns:
        The path with slashes: `/live/`; "" if `hubbub.asgi.application` was given no `topics`.

    Raises:
        ImproperlyConfigured: ASGI_APPLICATION cannot be loaded.
    """
    path = route_names.live_path()
    return get_script_prefix() + path if path else ""


# A frame within a script: no text in it can end the script, or begin another element.
ESCAPES = str.maketrans({"<": "\\u003C", ">": "\\u003E", "&": "\\u0026"})


@register.filter
def frame_script(frame: Struct | None, element_id: str) -> str:
    """Return a script element with a frame as JSON, as Django's `json_script`: `{{ first|frame_script:"first-poll" }}`.

    A page reads it by `JSON.parse(document.getElementById("first-poll").textContent)`.

    Args:
        frame: such as from `hubbub.topics.first_answer`; None: nothing.
        element_id: of the element.
    """
    if frame is None:
        return ""
    text = encode(frame).translate(ESCAPES)
    # The rule of Django's own filter: JSON has these characters in strings alone.
    return format_html('<script id="{}" type="application/json">{}</script>', element_id, mark_safe(text))  # noqa: S308


@register.simple_tag
def login_path() -> str:
    """Return the address of the sign-in page, from LOGIN_URL: a path, an address or a URL name."""
    return resolve_url(settings.LOGIN_URL)


def _is_fixed(route: URLPattern) -> bool:
    return isinstance(route.pattern, RoutePattern) and not route.pattern.converters


@register.simple_tag
def preload_modules(*names: str) -> str:
    """Return `<link rel="modulepreload">` for scripts, those that the static storage has: all begin to load at once.

        {% preload_modules "polls/js/poll.js" "polls/js/poll.engine.js" %}

    Args:
        names: paths below the static root. Without a storage of hashed names, as with DEBUG, there are none.

    Returns:
        The links as safe HTML; "" without any.
    """
    known = () if settings.DEBUG else getattr(staticfiles_storage, "hashed_files", ())
    links = ((staticfiles_storage.url(name),) for name in names if name in known)
    return format_html_join("\n  ", '<link rel="modulepreload" href="{}">', links)
