"""The Content-Security-Policy: of the site's pages, of the admin, and of pages that a team adds."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from project.page_policy import policy_of

TRUSTED = {"trusted-types": "lit-html hubbub", "require-trusted-types-for": "'script'"}
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


def rules_of(policy: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


@pytest.mark.parametrize("path", ["/", "/rooms/general/", "/account/", "/monitor/", "/administer/", "/admin"])
def test_a_page_allows_nothing_unsafe_and_no_frame_and_requires_trusted_types(path: str) -> None:
    policy = policy_of(path)
    assert "unsafe" not in policy
    assert "*" not in policy
    rules = rules_of(policy)
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    for name in ("script-src", "style-src", "form-action", "connect-src", "manifest-src", "worker-src"):
        assert rules[name] == "'self'"
    assert rules["img-src"] == "'self' data: blob:"
    assert TRUSTED.items() <= rules.items()


def test_the_admin_has_the_same_without_trusted_types(client: Client, root: Any) -> None:
    client.force_login(root)
    expected = {name: value for name, value in rules_of(policy_of("/")).items() if name not in TRUSTED}
    for address in (reverse("admin:index"), "/admin/password_change/", "/admin/chat/room/", "/admin/nothing/"):
        response = client.get(address)
        assert rules_of(response.headers["Content-Security-Policy"]) == expected, address


def test_a_team_changes_the_policy_of_its_own_pages(settings: Any) -> None:
    before = policy_of("/rooms/general/")
    settings.PAGE_POLICIES = settings.PAGE_POLICIES | {
        "/maps/": {"img-src": "'self' https://tiles.example.org"},
        "/maps/old/": {"require-trusted-types-for": None, "script-src": "'self' 'wasm-unsafe-eval'"},
    }
    assert rules_of(policy_of("/maps/x")) == rules_of(before) | {"img-src": "'self' https://tiles.example.org"}
    old = rules_of(policy_of("/maps/old/x"))  # The longest path counts, alone.
    assert old["img-src"] == "'self' data: blob:"
    assert "require-trusted-types-for" not in old
    assert policy_of("/rooms/general/") == before


def test_below_a_path_the_admin_is_the_admin(client: Client, root: Any, settings: Any) -> None:
    settings.FORCE_SCRIPT_NAME = "/team"
    client.force_login(root)
    assert "trusted-types" not in client.get("/admin/").headers["Content-Security-Policy"]
    assert "trusted-types" in client.get("/account/").headers["Content-Security-Policy"]
