"""The text of a message as it is kept."""

import unicodedata

from chat import conf
from realtime.protocol import ErrorCode, Refused
from realtime.text import MOST_MARKS, has_endless_marks


def clean(body: str) -> str:
    """Raises Refused. Not for within a transaction: others would wait for what a hostile text takes."""
    if has_endless_marks(body):
        raise Refused(ErrorCode.INVALID, f"a message has at most {MOST_MARKS} marks on one letter")
    body = unicodedata.normalize("NFC", body).strip()
    if not body:
        raise Refused(ErrorCode.INVALID, "a message needs some text")
    if "\x00" in body:
        raise Refused(ErrorCode.INVALID, "a message cannot contain the character NUL")
    if len(body) > (most := conf.settings().body_chars):
        raise Refused(ErrorCode.TOO_LONG, f"a message has at most {most} characters")
    return body


def cleaned(body: str) -> str | Refused:
    """The same, for when it is not known yet whether the text matters."""
    try:
        return clean(body)
    except Refused as refused:
        return refused


def accepted(cleaned: str | Refused) -> str:
    """What `cleaned` returned, now that it does. Raises Refused."""
    if isinstance(cleaned, Refused):
        raise cleaned
    return cleaned
