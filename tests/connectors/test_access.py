"""Allow-lists and Basic credentials of terminal channels."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.terminals.access import basic_matches, network_allows, parse_networks

QIWI = parse_networks(("79.142.16.0/20", "91.232.230.0/23", "2001:db8::/32"))

PEERS = [
    ("79.142.16.1", True),
    ("79.142.31.255", True),
    ("79.142.32.0", False),
    ("91.232.231.9", True),
    ("::ffff:91.232.230.1", True),
    ("::ffff:1.2.3.4", False),
    ("2001:db8::1", True),
    ("2001:db9::1", False),
    ("", False),
    ("unknown", False),
    ("79.142.16.1:443", False),
    ("79.142.16.01", False),
    ("79.142.16.1\0", False),
]


@pytest.mark.parametrize(("peer", "allowed"), PEERS)
def test_peer_is_allowed_by_its_network(peer: str, allowed: bool) -> None:
    assert network_allows(QIWI, peer) is allowed


def test_empty_list_allows_everybody() -> None:
    assert network_allows((), "1.2.3.4")


@pytest.mark.parametrize("text", ["79.142.16.1/20", "x", "1.2.3.4/33"])
def test_wrong_network_is_not_configured(text: str) -> None:
    with pytest.raises(ValueError, match=r"host bits|does not appear"):
        parse_networks((text,))


def basic(credentials: str) -> str:
    return "Basic " + b64encode(credentials.encode()).decode()


HEADERS = [
    (basic("касса:пароль:1"), True),
    (basic("касса:пароль:1").replace("Basic", "bAsIc"), True),
    (basic("касса:пароль:2"), False),
    (basic("касса"), False),
    (basic(""), False),
    ("Bearer " + b64encode("касса:пароль:1".encode()).decode(), False),
    ("Basic", False),
    ("Basic !!!", False),
    ("Basic касса", False),
    ("Basic YQ", False),
    (basic("x" * 10_000), False),
    ("", False),
    (None, False),
]


@pytest.mark.parametrize(("header", "matches"), HEADERS)
def test_credentials_match_only_when_right(header: str | None, matches: bool) -> None:
    assert basic_matches(header, "касса", "пароль:1") is matches


@given(st.text(), st.text())
def test_anything_is_only_wrong(header: str, peer: str) -> None:
    assert not basic_matches(header, "u", "p")
    assert not basic_matches("Basic " + header, "u", "p" * 40)
    assert not network_allows(parse_networks(("198.51.100.7/32",)), peer)
