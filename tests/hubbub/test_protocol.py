"""The envelope: valid and invalid commands. Client input causes errors only."""

import msgspec
import pytest

from hubbub.protocol import Command, Error, Malformed, Ping, encode, parse, parse_auth


class Greet(Command, tag="greet"):
    name: str


DECODER = msgspec.json.Decoder(Ping | Greet)

NOT_COMMANDS = {
    "not JSON": "hello",
    "empty": "",
    "an array": "[]",
    "a number": "7",
    "null": "null",
    "a truncated object": '{"type": "ping", "ref": 1',
    "unknown type": '{"type": "sing", "ref": 1}',
    "no type": '{"ref": 1}',
    "a type that is not text": '{"type": 4, "ref": 1}',
    "unknown field": '{"type": "ping", "ref": 1, "extra": 1}',
    "no ref": '{"type": "ping"}',
    "a ref that is a list": '{"type": "ping", "ref": [1]}',
    "a ref that is true": '{"type": "ping", "ref": true}',
    "a ref that is a fraction": '{"type": "ping", "ref": 1.5}',
    "a ref that is too long": '{"type": "ping", "ref": "%s"}' % ("x" * 65),
    "a ref beyond what JavaScript counts": '{"type": "ping", "ref": 9007199254740993}',
    "a 5,000-digit ref": '{"type": "ping", "ref": %s}' % ("9" * 5000),
    "1e400": '{"type": "ping", "ref": 1e400}',
    "NaN": '{"type": "ping", "ref": NaN}',
    "a wrong field type": '{"type": "greet", "ref": 1, "name": 3}',
    "100,000 brackets": "[" * 100_000,
    "100,000 nested objects": '{"a":' * 100_000,
    "an escaped lone surrogate": r'{"type": "greet", "ref": 1, "name": "\ud800"}',
    "a lone surrogate": '{"type": "greet", "ref": 1, "name": "\ud800"}',
}


@pytest.mark.parametrize("text", NOT_COMMANDS.values(), ids=NOT_COMMANDS.keys())
def test_a_frame_that_is_no_command_is_malformed(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(DECODER, text)
    assert caught.value.code == "invalid"
    assert caught.value.detail


def test_a_command_is_parsed_with_its_ref() -> None:
    assert parse(DECODER, '{"type": "greet", "ref": "a", "name": "Ann"}') == Greet(ref="a", name="Ann")
    assert parse(DECODER, '{"type": "ping", "ref": -3}') == Ping(ref=-3)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ('{"type": "sing", "ref": 4}', 4),
        ('{"type": "greet", "ref": "b", "name": []}', "b"),
        ('{"type": "greet", "ref": []}', None),
        ('{"type": "sing"}', None),
    ],
)
def test_an_error_carries_the_ref_where_it_can_be_read(text: str, ref: object) -> None:
    with pytest.raises(Malformed) as caught:
        parse(DECODER, text)
    assert caught.value.ref == ref


def test_auth_has_a_token_and_no_ref() -> None:
    assert parse_auth('{"type": "auth", "token": "hub_1_x"}').token == "hub_1_x"
    for text in ('{"type": "auth"}', '{"type": "auth", "token": 3}', '{"type": "auth", "token": "x", "ref": 1}'):
        with pytest.raises(Malformed):
            parse_auth(text)


def test_an_error_without_ref_or_delay_leaves_them_out() -> None:
    assert encode(Error(code="invalid", detail="no")) == '{"type":"error","code":"invalid","detail":"no"}'
    full = encode(Error(ref=1, code="rate_limited", detail="slow", retry_after_ms=50))
    assert full == '{"type":"error","ref":1,"code":"rate_limited","detail":"slow","retry_after_ms":50}'
