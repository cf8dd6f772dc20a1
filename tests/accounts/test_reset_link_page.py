"""The administrator's page of a reset link: breadcrumbs, the ends of the link, a copy button."""

from typing import Any

import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("plain_static")]


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_page_has_breadcrumbs_and_the_ends_of_a_link(admin: Any, alice: Any, method: str) -> None:
    page = getattr(admin, method)(f"/admin/accounts/user/{alice.pk}/reset-link/")
    text = " ".join(page.text.split())
    assert "The link works once, within 24 hours." in text
    for end in (
        "The user signs in.",
        "The password, the email address or the rights of the account change.",
        "The account is made inactive or is deleted.",
    ):
        assert f"<li>{end}</li>" in text
    crumbs = [
        '<a href="/admin/accounts/">Accounts</a>',
        '<a href="/admin/accounts/user/">Users</a>',
        f'<a href="/admin/accounts/user/{alice.pk}/change/">alice</a>',
    ]
    assert sorted(crumbs, key=text.index) == crumbs
    if method == "post":
        assert "<button" in text.split('id="reset-link"')[1].split("</div>")[0]
