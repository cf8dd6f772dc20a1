"""Password reset links as a browser uses them."""

from typing import Any

from django.test import Client

from tests.support.signing_in import NEW

FORM = {"new_password1": NEW, "new_password2": NEW}


def use(link: str, client: Client | None = None, **more: str) -> Any:
    """Open the link and submit its form; return the page if it has no form."""
    client = client or Client()
    page = client.get(link, follow=True)
    if not page.context.get("validlink"):
        return page
    return client.post(page.redirect_chain[-1][0], {**FORM, **more})


def works(link: str) -> bool:
    return bool(Client().get(link, follow=True).context.get("validlink"))
