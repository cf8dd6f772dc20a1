"""System checks of the settings that the chat needs. docs/settings.md lists them."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from chat import conf
from hubbub.auth import missing_for_pages


@register("chat")
def check_pages(**_: Any) -> list[CheckMessage]:
    return [Error(line, hint="The chat pages need it.", id="chat.E001") for line in missing_for_pages()]


@register("chat")
def check_settings(**_: Any) -> list[CheckMessage]:
    hint = "The page Settings lists every key with its default and its bounds."
    return [Error(line, hint=hint, id="chat.E002") for line in conf.settings.problems()]


@register("chat")
def check_markdown(**_: Any) -> list[CheckMessage]:
    try:
        import markdown_it  # noqa: F401
    except ImportError:
        line = 'chat needs markdown-it-py: pip install "django-hubbub[chat]"'
        return [Error(line, hint="The last words of a room come from it.", id="chat.E003")]
    return []
