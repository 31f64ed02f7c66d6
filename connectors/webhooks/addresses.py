"""Where a webhook may be sent: a receiver's URL is its owner's, and must not lead into our own network (SSRF).

The check is made twice: of the URL, and of every address that its host name was resolved to, by whoever opens the connection.
"""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import msgspec

URL_CHARACTERS_MAX = 2048

_HOST = re.compile(r"[a-z0-9._:-]{1,253}", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_NAT64 = IPv6Network("64:ff9b::/96")
_LOW_32_BITS = 0xFFFF_FFFF


class AddressRules(msgspec.Struct, frozen=True, kw_only=True):
    """What is allowed beyond https to public addresses: plain http, and networks («127.0.0.0/8») that are not public."""

    http: bool = False
    networks: tuple[str, ...] = ()


PUBLIC_ONLY = AddressRules()


def is_public(address: str) -> bool:
    """Tell whether an IP address, as text, is one of the public Internet; anything that is no address is not.

    An IPv6 address that carries an IPv4 one (mapped, 6to4, Teredo, NAT64) is as public as what it carries.
    """
    parsed = _parsed(address)
    return parsed is not None and all(_is_public(part) for part in _carried(parsed))


def is_allowed(address: str, rules: AddressRules = PUBLIC_ONLY) -> bool:
    """Tell whether a connection may be opened to an IP address: a public one, or one of the rules' networks."""
    parsed = _parsed(address)
    if parsed is None:
        return False
    carried = _carried(parsed)
    return all(_is_public(part) or any(part in ip_network(network) for network in rules.networks) for part in carried)


def url_fault(url: str, rules: AddressRules = PUBLIC_ONLY) -> str:
    """Return why a webhook may not be sent to a URL, in one sentence; empty when it may. Host names are not resolved.

    A host whose last label is a number (``127.1``, ``0x7f000001``) is read as an address by resolvers: only the strict form
    of four decimals is taken.
    """
    if len(url) > URL_CHARACTERS_MAX or not url.isascii() or any(character <= " " or character == "\\" for character in url):
        return f"the address must be at most {URL_CHARACTERS_MAX} visible ASCII characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "the address cannot be read"
    if parts.scheme != "https" and not (rules.http and parts.scheme == "http"):
        return "the address must start with https://"
    if parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        return "the address must have no user name, password, fragment or port 0"
    return _host_fault(host, rules)


def _host_fault(host: str, rules: AddressRules) -> str:
    if _HOST.fullmatch(host) is None:
        return "the address has no host name in plain letters"
    if _parsed(host) is not None:
        return "" if is_allowed(host, rules) else "the host is not a public address"
    if ":" in host or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) is not None:
        return "the host is a number and not an address"
    return ""


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def _carried(address: IPv4Address | IPv6Address) -> tuple[IPv4Address | IPv6Address, ...]:
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64:
        return (IPv4Address(int(address) & _LOW_32_BITS),)
    return (address,)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
