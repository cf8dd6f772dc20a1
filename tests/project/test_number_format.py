"""Numbers that programs read have no separators: a site with USE_THOUSAND_SEPARATOR has rows above 999, too."""

import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from chat.models import Room
from tests.support.admin_pages import ban, page_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]

ATTRIBUTE = re.compile(r'(?:data-[\w-]*id|data-stale-ms|value|href|max|action)="[^"]*\d,\d[^"]*"')


@pytest.fixture
def root(settings: Any, client: Client) -> Any:
    settings.USE_THOUSAND_SEPARATOR = True
    root = get_user_model().objects.create(pk=1234, username="root", is_staff=True, is_superuser=True)
    client.force_login(root)
    return root


def test_pages_have_the_id_of_the_user_and_times_as_they_are(root: Any, client: Client) -> None:
    lobby, dashboard = (client.get(reverse(name)).text for name in ("chat:lobby", "monitor:dashboard"))
    for page in (lobby, dashboard):
        assert 'data-own-id="1234"' in page
        assert ATTRIBUTE.findall(page) == []
    assert re.search(r'data-stale-ms="\d{4,}"', dashboard)


def test_the_page_of_a_room_bans_and_links_by_ids_as_they_are(root: Any, client: Client) -> None:
    room = Room.objects.create(pk=5678, slug="attic", title="Attic")
    for number in range(2001, 2023):
        charlie = get_user_model().objects.create(pk=number, username=f"charlie-{number}")
        ban(charlie, room)
    page = client.get(page_of(room)).text
    assert 'name="lift" value="2001"' in page
    assert "room__id__exact=5678&amp;banned=yes" in page
    assert ATTRIBUTE.findall(page) == []
