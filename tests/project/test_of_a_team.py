"""Pages of chat and monitor take what a team has: its sign-in page, its base template."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from chat.models import Room

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

BASE = """<!doctype html><html lang="en"><title>{% block title %}Ours{% endblock %}</title>
<header>The header of the team</header>{% block main %}{% endblock %}{% block end %}{% endblock %}</html>"""


@pytest.mark.parametrize("login_url", ["/team/enter/", "admin:login"])
def test_pages_lead_to_the_sign_in_page_of_the_team(client: Client, settings: Any, alice: Any, login_url: str) -> None:
    settings.LOGIN_URL = login_url
    path = reverse(login_url) if ":" in login_url else login_url
    for name in ("chat:lobby", "monitor:dashboard"):
        assert client.get(reverse(name)).headers["Location"] == f"{path}?next={reverse(name)}"
    client.force_login(alice)
    assert f'data-sign-in="{path}"' in client.get(reverse("chat:lobby")).text


def test_both_apps_extend_the_base_template_of_the_team(
    client: Client, settings: Any, tmp_path: Path, alice: Any, lounge: Room
) -> None:
    (tmp_path / "hubbub").mkdir()
    (tmp_path / "hubbub" / "base.html").write_text(BASE)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    alice.user_permissions.add(Permission.objects.get(codename="view_dashboard"))
    client.force_login(alice)
    for path in (reverse("chat:lobby"), reverse("chat:room", args=["lounge"]), reverse("monitor:dashboard")):
        page = client.get(path)
        assert page.status_code == 200
        assert "The header of the team" in page.text
        assert 'class="bar"' not in page.text
