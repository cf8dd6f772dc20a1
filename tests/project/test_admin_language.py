"""The admin in German: no text of its pages reads as in English, but names and data."""

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.db import transaction
from django.urls import reverse
from django.utils.functional import Promise

from chat import services
from tests.support.account_page import make_token
from tests.support.admin_pages import ban, post_message
from tests.support.personas import make_user
from tests.support.unmarked import WORDS, Shown

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

APPS = ("accounts", "chat", "hubbub", "monitor")
# Names and data of this test, and words that are the same in German.
SAME = {
    *("hubbub", "administration", "chat", "moderator", "position", "text", "name", "filter", "utc", "in", "hub"),
    *("root", "anna", "otto", "bahnhof", "keller", "general", "operations", "zeuge", "wegen", "lärm", "gute", "nacht"),
    *("polls", "votes"),
}
# Ids, scopes, and names of permissions, which are in the database.
NO_WORDS = re.compile(r"[0-9a-f-]{36}|\w+\.(read|write)|^.* \| Can .*$")
# Django itself has no German for these.
DJANGO = re.compile(
    r"Set password|assword-based authentication|^(Enabled|Disabled|enable|This action will|Search|True|False)$"
    r"|^After you’ve created a user|^Whether the user will be able to authenticate"
)
# Fields that no page of the admin shows.
HIDDEN = {
    "chat.Room": {"sort_key", "position", "last_seq", "changed_position", "purged_position", "access_version", "epoch"},
    "chat.Message": {"posted_position"},
    "hubbub.AccessToken": {"secret_sha256"},
    "accounts.User": {"name_key", "shown_picture", "shown_name_key", "language", "clock", "theme", "session_salt"},
}


class Pages:
    """Sees pages of the admin in one language."""

    def __init__(self, client: Any, language: str) -> None:
        self._client = client
        self._headers = {"accept-language": language}
        self.texts: dict[str, str] = {}

    def see(self, response: Any) -> None:
        assert response.status_code == 200
        for text in Shown(response.content.decode()).texts:
            if WORDS.search(text):
                self.texts[" ".join(text.split())] = response.request["PATH_INFO"]

    def get(self, address: str) -> list[str]:
        """See a page, and return the names of the actions that it offers."""
        response = self._client.get(address, headers=self._headers)
        self.see(response)
        form = response.context.get("action_form")
        return [name for name, _ in form.fields["action"].choices if name] if form else []

    def post(self, address: str, **fields: Any) -> Any:
        response = self._client.post(address, fields, headers=self._headers, follow=True)
        self.see(response)
        return response

    def act(self, address: str, action: str, row: Any) -> None:
        """See what an action asks and tells."""
        response = self.post(address, action=action, _selected_action=row.pk)
        if "fields" in response.context:
            self.post(address, **dict(response.context["fields"]))


def test_every_name_that_the_admin_shows_is_marked() -> None:
    unmarked = []
    for model in (model for app in APPS for model in apps.get_app_config(app).get_models()):
        about = model._meta
        names = {"verbose_name": about.verbose_name, "verbose_name_plural": about.verbose_name_plural}
        for field in about.concrete_fields if site.is_registered(model) else ():
            if not field.primary_key and field.name not in HIDDEN.get(about.label, ()):
                names |= {field.name: field.verbose_name, f"help of {field.name}": field.help_text}
        unmarked += [f"{about.label} {name}: {text!r}" for name, text in names.items() if text and not is_marked(text)]
    assert unmarked == []


def is_marked(text: Any) -> bool:
    return isinstance(text, Promise)


def test_no_page_of_the_admin_reads_the_same_in_german(admin: Any, root: Any) -> None:
    anna, otto = make_user("anna"), make_user("otto")
    station = services.create_room(slug="bahnhof", title="Bahnhof")
    cellar = services.create_room(slug="keller", title="Keller", is_private=True)
    for user in (anna, otto):
        services.set_membership(room_id=cellar.pk, user_id=user.pk)
    banned = ban(otto, station, reason="Wegen Lärm")
    messages = [post_message(anna, cellar, "Guten Tag"), post_message(otto, cellar, "Gute Nacht")]
    services.delete_message(user_id=anna.pk, slug="keller", seq=messages[0].seq)
    token = make_token(anna, "Zeuge")
    rows = [station, cellar, banned, messages[1], token, anna]
    seen = {}
    for language in ("en", "de"):
        with transaction.atomic():
            seen[language] = texts_in(Pages(admin, language), rows)
            transaction.set_rollback(True)
    same = {text: page for text, page in seen["de"].items() if text in seen["en"] and not is_excused(text)}
    assert same == {}


def is_excused(text: str) -> bool:
    words = {word.lower() for word in re.findall(r"[^\W\d_]{2,}", NO_WORDS.sub("", text))}
    return words <= SAME or DJANGO.search(text) is not None


def texts_in(pages: Pages, rows: list[Any]) -> dict[str, str]:
    """All texts of the pages for these rows, their lists, actions and errors, by the page."""
    pages.get(reverse("admin:index"))
    for app in ("accounts", "chat", "hubbub"):
        pages.get(reverse("admin:app_list", args=[app]))
    station, *_, anna = rows
    pages.post(reverse("admin:chat_room_ban", args=[station.pk]), until_0="x")
    pages.get(reverse("admin:accounts_user_reset_link", args=[anna.pk]))
    pages.get(reverse("admin:auth_user_password_change", args=[anna.pk]))
    for row in rows:
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        for page in ("change", "history"):
            pages.get(reverse(f"{name}_{page}", args=[row.pk]))
        rows_list = reverse(f"{name}_changelist")
        for action in pages.get(rows_list):
            with transaction.atomic():
                pages.act(rows_list, action, row)
                transaction.set_rollback(True)
    for name in ("chat_room", "chat_membership", "hubbub_accesstoken", "accounts_user"):
        pages.post(reverse(f"admin:{name}_add"))
    return pages.texts
