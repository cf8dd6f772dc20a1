"""System checks of the settings that the chat needs. docs/settings.md lists them."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from chat import conf
from hubbub.checks import missing_for_pages


@register("chat")
def check_pages(**_: Any) -> list[CheckMessage]:
    return [Error(line, hint="The chat pages need it.", id="chat.E001") for line in missing_for_pages()]


@register("chat")
def check_settings(**_: Any) -> list[CheckMessage]:
    hint = "The page Settings lists every key with its default and its bounds."
    return [Error(line, hint=hint, id="chat.E002") for line in conf.settings.problems()]
