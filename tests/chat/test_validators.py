"""The accepted body of a message. tests/js holds the page's check to the same list."""

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chat import posting, services
from chat.models import Message, Room
from chat.validators import clean
from hubbub.protocol import Refused

BODIES = json.loads(Path(__file__).with_name("bodies.json").read_text())


@pytest.mark.parametrize(("typed", "body"), BODIES["kept"], ids=ascii)
def test_only_blank_lines_at_both_ends_go(typed: str, body: str) -> None:
    assert clean(typed) == body


@pytest.mark.parametrize("typed", BODIES["blank"], ids=ascii)
def test_an_invisible_body_is_invalid(typed: str) -> None:
    with pytest.raises(Refused) as caught:
        clean(typed)
    assert caught.value.code == "invalid"


@pytest.mark.django_db
@pytest.mark.database
@pytest.mark.parametrize("blank", ["\u200b", "\u3164", "\ufeff", "\u2800", "\u00ad"], ids=ascii)
def test_neither_a_post_nor_an_edit_leaves_a_blank_row(alice: Any, lounge: Room, blank: str) -> None:
    posting.post_message(user_id=alice.pk, slug=lounge.slug, client_id=uuid4(), body="hello")
    with pytest.raises(Refused, match="visible text"):
        posting.post_message(user_id=alice.pk, slug=lounge.slug, client_id=uuid4(), body=blank)
    with pytest.raises(Refused, match="visible text"):
        services.edit_message(user_id=alice.pk, slug=lounge.slug, seq=1, body=blank)
    assert list(Message.objects.values_list("body", flat=True)) == ["hello"]


@pytest.mark.django_db
@pytest.mark.database
def test_the_first_indent_of_code_is_kept(alice: Any, lounge: Room) -> None:
    code = "    if x:\n        y()\nend"
    posting.post_message(user_id=alice.pk, slug=lounge.slug, client_id=uuid4(), body=f"\n{code}\n")
    services.edit_message(user_id=alice.pk, slug=lounge.slug, seq=1, body=f"\n{code}\n\n")
    message = Message.objects.get()
    assert message.body == code
    assert message.edited_at is None


def test_a_long_hostile_body_takes_no_long_time() -> None:
    began = time.perf_counter()
    for typed in (" " * 64_000, "\u3164" * 32_000 + "x" + "\U000e0001" * 32_000, "a" + "\n" * 64_000 + "b"):
        with pytest.raises(Refused):
            clean(typed if len(typed.strip()) > 1 else f"{typed}\x00")
    assert time.perf_counter() - began < 1
