"""Access to the dashboard, and the contents of its page."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


def test_an_anonymous_visitor_is_asked_to_sign_in(client: Client) -> None:
    answer = client.get(reverse("monitor:dashboard"))
    assert answer.status_code == 302
    assert answer["Location"] == f"{reverse('sign-in')}?next={reverse('monitor:dashboard')}"


def test_a_user_without_the_permission_is_refused(client: Client, alice: Any) -> None:
    client.force_login(alice)
    assert client.get(reverse("monitor:dashboard")).status_code == 403


def test_the_page_is_a_shell_without_inline_script_or_style(client: Client, mona: Any) -> None:
    mona.user_permissions.add(Permission.objects.get(codename="view_dashboard"))
    client.force_login(mona)
    answer = client.get(reverse("monitor:dashboard"))
    assert answer.status_code == 200
    page = answer.content.decode()
    assert 'data-stale-ms="7000"' in page
    assert f'data-user-id="{mona.pk}"' in page
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", page)
