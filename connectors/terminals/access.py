"""Who may speak to a terminal channel: IP allow-list and HTTP Basic (design §1, station 2; protocols.md §1)."""

import binascii
import hmac
from base64 import b64decode
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

BASIC_HEADER_CHARACTERS_MAX = 1024

Network = IPv4Network | IPv6Network


def parse_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Parse CIDR networks of a channel's configuration; anything else, host bits set included, is a ValueError."""
    return tuple(ip_network(text) for text in texts)


def network_allows(networks: tuple[Network, ...], peer: str) -> bool:
    """Tell whether the peer's address lies in one of the networks; an empty list allows everybody.

    An IPv4 address inside IPv6 (``::ffff:1.2.3.4``) counts as IPv4; what is not an address is not allowed by any list.
    """
    if not networks:
        return True
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def basic_matches(header: str | None, user: str, password: str) -> bool:
    """Compare an Authorization header (RFC 7617, UTF-8) in constant time; an absent or malformed one does not match."""
    if header is None or len(header) > BASIC_HEADER_CHARACTERS_MAX:
        return False
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = b64decode(credentials.strip().encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    return hmac.compare_digest(given, f"{user}:{password}".encode())
