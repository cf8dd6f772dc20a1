"""The true address and scheme of a request: only trusted proxies may set them."""

import logging
from typing import Any

import pytest

from hubbub.asgi import true_client
from hubbub.asgi.true_client import forwarded_address, true_scope
from hubbub.limits.token_buckets import Buckets
from hubbub.process.addresses import TrustedProxies, network_of, parse_address

PROXIES = TrustedProxies(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"])


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(true_client, "_log_budget", Buckets(per_second=1 / 3600, burst=1))


def scope(peer: str | None, *headers: tuple[str, str], kind: str = "http", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "client": [peer, 50_000] if peer else None,
        "headers": [(b"host", b"chat.example.org"), *((name.encode(), value.encode()) for name, value in headers)],
        **more,
    }


def test_without_forwarding_headers_nothing_is_touched() -> None:
    plain = scope("203.0.113.7", scheme="http", root_path="")
    assert true_scope(plain, PROXIES) is plain


def test_a_trusted_proxy_tells_address_and_scheme() -> None:
    forwarded = scope("10.1.2.3", ("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https"), scheme="http")
    assert true_scope(forwarded, PROXIES)["client"] == ["203.0.113.7", 0]
    assert true_scope(forwarded, PROXIES)["scheme"] == "https"
    assert forwarded["client"] == ["10.1.2.3", 50_000]


@pytest.mark.parametrize(("said", "scheme"), [("https", "wss"), ("http", "ws"), ("wss", "wss"), ("http, https", "wss")])
def test_the_scheme_of_a_socket_is_ws_or_wss(said: str, scheme: str) -> None:
    for known in ({}, {"scheme": "ws"}, {"scheme": "wss"}):
        forwarded = scope("127.0.0.1", ("x-forwarded-proto", said), kind="websocket", **known)
        assert true_scope(forwarded, PROXIES)["scheme"] == scheme


def test_an_unknown_scheme_changes_nothing() -> None:
    forwarded = scope("127.0.0.1", ("x-forwarded-proto", "javascript"), scheme="http")
    assert true_scope(forwarded, PROXIES)["scheme"] == "http"


def test_anybody_elses_forwarding_headers_are_taken_away_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    forged = scope(
        "203.0.113.7",
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-real-ip", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        scheme="http",
    )
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            seen = true_scope(forged, PROXIES)
    assert (seen["client"], seen["scheme"]) == (["203.0.113.7", 50_000], "http")
    assert seen["headers"] == [(b"host", b"chat.example.org")]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "hubbub.security"]
    assert line.startswith("forwarding_ignored address=203.0.113.7 ")
    assert "x-forwarded-for" in line
    assert "evil.example" not in line


def test_a_root_path_that_a_client_sent_is_taken_away() -> None:
    assert true_scope(scope("203.0.113.7", root_path="/admin"), PROXIES)["root_path"] == ""


def test_the_root_path_of_the_settings_stays(settings: Any) -> None:
    settings.FORCE_SCRIPT_NAME = "/hubbub"
    assert true_scope(scope("203.0.113.7", root_path="/x"), PROXIES)["root_path"] == "/hubbub"


@pytest.mark.parametrize(
    ("hops", "address"),
    [
        ([], "10.0.0.1"),
        (["203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7", "10.9.9.9"], "203.0.113.7"),
        (["10.9.9.9"], "10.9.9.9"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["[2001:DB9::1]:4711"], "2001:db9::1"),
    ],
)
def test_the_client_is_the_last_hop_that_is_no_proxy(hops: list[str], address: str) -> None:
    assert forwarded_address("10.0.0.1", hops, PROXIES) == address


@pytest.mark.parametrize(
    "forged",
    [
        ["127.0.0.1"],
        ["10.0.0.5", "127.0.0.1"],
        ["198.51.100.1", "198.51.100.2"],
        ["<script>"],
        ["1.2.3.4\x1b[2J"],
        ["unknown"],
        ["999.1.1.1"],
        ["9" * 10_000],
    ],
)
def test_forged_entries_before_the_client_address_are_ignored(forged: list[str]) -> None:
    assert forwarded_address("10.0.0.1", [*forged, "203.0.113.7"], PROXIES) == "203.0.113.7"


@pytest.mark.parametrize(
    "junk", ["", "<script>", "fe80::1%\x1b[31m", "1.2.3", "[::1]x]", "a:b", "localhost", "٣.1.1.1"]
)
def test_text_that_is_no_address_belongs_to_no_user(junk: str) -> None:
    assert parse_address(junk) is None
    assert forwarded_address("10.0.0.1", ["198.51.100.1", junk], PROXIES) == "10.0.0.1"


def test_a_client_on_a_unix_socket_is_trusted_only_by_name() -> None:
    forwarded = scope(None, ("x-forwarded-for", "203.0.113.7"))
    assert true_scope(forwarded, TrustedProxies(["unix"]))["client"] == ["203.0.113.7", 0]
    assert true_scope(forwarded, PROXIES)["client"] is None


@pytest.mark.parametrize("word", ["", "proxy.example.org", "10.0.0.1/8", "*", "10.0.0.0/33", "UNIX"])
def test_text_that_is_no_address_or_network_cannot_be_trusted(word: str) -> None:
    with pytest.raises(ValueError):
        TrustedProxies([word])


def test_a_limit_counts_an_ipv6_customer_as_one() -> None:
    assert network_of("2001:db9:1:2:3:4:5:6") == network_of("2001:db9:1:2:ffff::") == "2001:db9:1:2::/64"
    assert network_of("203.0.113.7") == "203.0.113.7"
    assert network_of(None) == "unix"
