"""System checks of the settings that the chat needs. docs/settings.md lists them."""

from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

from hubbub.checks import missing_for_pages, missing_scopes

SCOPES = ("chat.read", "chat.write")


@register("chat")
def check_pages(**_: Any) -> list[CheckMessage]:
    return [Error(line, hint="The chat pages need it.", id="chat.E001") for line in missing_for_pages()]


@register("chat")
def check_scopes(**_: Any) -> list[CheckMessage]:
    return [
        Warning(
            f"TOKEN_SCOPES lacks {name!r}, and no topic declares it.",
            hint="Add it: no access token can have it otherwise.",
            id="chat.W001",
        )
        for name in missing_scopes(SCOPES)
    ]
