"""Chat's tunables. A leaf: imports nothing of chat."""

from dataclasses import dataclass

from hubbub.conf import tunable


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Chat's tunables."""

    body_chars: int = tunable(
        4_000, "Longest message, in code points after NFC: fits a frame four times over.", low=1, high=100_000
    )
    page_messages: int = tunable(50, "Messages in the page that a join brings.", low=1, high=100)
    page_bytes: int = tunable(
        32 * 1024,
        "Largest answer of a join or of `room.history`: over a slow link of 5 kB/s it arrives within 7 s.",
        low=16 * 1024,
        high=1 << 20,
    )
    resume_parts: int = tunable(
        20,
        "Parts of changes that a resuming client is sent; with more to come it starts from the latest page.",
        low=1,
        high=1_000,
    )
    resume_changes: int = tunable(
        300,
        "Changes that a resuming client is sent one by one; past that it starts from the latest page.",
        low=1,
        high=10_000,
    )


def settings() -> Chat:
    """Chat's tunables in force: `settings.CHAT`, or the defaults."""
    from django.conf import settings as django_settings

    configured: Chat = getattr(django_settings, "CHAT", None) or Chat()
    return configured
