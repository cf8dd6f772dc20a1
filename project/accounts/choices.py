"""Personal choices: language, clock and theme. The account has those of its user, cookies have those of a visitor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext_lazy as _

from project.accounts.models import User

CLOCKS = {"12": _("12 hours: 6:47 PM"), "24": _("24 hours: 18:47")}
THEMES = {"light": _("Light"), "dark": _("Dark")}
NAMES = ("language", "clock", "theme")
COOKIE_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class VisitorChoices:
    """The choices of a browser in which nobody is signed in."""

    clock: str
    theme: str


class ChoicesForm(forms.Form):
    """The choices of the account page. Empty: by the browser."""

    language = forms.ChoiceField(required=False, label=_("Language"))
    clock = forms.ChoiceField(required=False, label=_("Clock"))
    theme = forms.ChoiceField(required=False, label=_("Theme"))

    def __init__(self, user: User, data: Any = None) -> None:
        initial = {name: getattr(user, name) for name in NAMES}
        super().__init__(data, initial=initial, label_suffix="", auto_id="id_choices_%s")
        self.user = user
        values: dict[str, list[tuple[str, Any]]] = {
            "language": [("", _("As in the browser")), *settings.LANGUAGES],
            "clock": [("", _("By the language")), *CLOCKS.items()],
            "theme": [("", _("As in the system")), *THEMES.items()],
        }
        for name, choices in values.items():
            field: Any = self.fields[name]
            field.choices = choices

    def save(self) -> None:
        """Save a valid form."""
        for name in NAMES:
            setattr(self.user, name, self.cleaned_data[name])
        self.user.save(update_fields=NAMES)


def apply_choices(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: each page has the language of its reader; `request.choices` has clock and theme for the template."""

    def middleware(request: HttpRequest) -> HttpResponse:
        before = translation.get_language() or settings.LANGUAGE_CODE
        # Also of the page of an error below, such as of the database: so this is no `translation.override`.
        translation.activate(translation.get_language_from_request(request))
        user: Any = request.user if settings.SESSION_COOKIE_NAME in request.COOKIES else None
        if user is not None and user.is_authenticated:
            request.choices = user  # type: ignore[attr-defined]
            translation.activate(language_for(request, user))
        else:
            clock, theme = (request.COOKIES.get(_cookie_name(name), "") for name in ("clock", "theme"))
            request.choices = VisitorChoices(clock=clock, theme=theme)  # type: ignore[attr-defined]
        response = get_response(request)
        response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        translation.activate(before)
        return response

    return middleware


def language_for(request: HttpRequest, user: User) -> str:
    """The language of a user's pages: the chosen one, if the site still has it, or the browser's."""
    try:
        return translation.get_supported_language_variant(user.language)
    except LookupError:
        return _language_of_browser(request)


def chosen_by_visitor(request: HttpRequest) -> str:
    """The language that a visitor has chosen; empty: none."""
    code = request.COOKIES.get(_cookie_name("language"), "")
    return code if code in dict(settings.LANGUAGES) else ""


def remember_choices(response: HttpResponse, user: User) -> None:
    """Set the cookies after a sign-in and a change: the sign-in page looks the same after the user has signed out."""
    for name in NAMES:
        remember_choice(response, name, getattr(user, name))


def remember_choice(response: HttpResponse, name: str, value: str) -> None:
    """Set the cookie of one choice, or delete it."""
    response.set_cookie(
        _cookie_name(name),
        value,
        max_age=COOKIE_SECONDS if value else 0,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _language_of_browser(request: HttpRequest) -> str:
    """By the header Accept-Language alone: the cookie may be another user's choice."""
    browser = HttpRequest()
    browser.META["HTTP_ACCEPT_LANGUAGE"] = request.headers.get("Accept-Language", "")
    return translation.get_language_from_request(browser)


def _cookie_name(name: str) -> str:
    return f"hubbub_{name}"
