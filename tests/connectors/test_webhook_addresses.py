"""Where webhooks may go: public addresses over https, whatever way another one is written."""

import pytest

from connectors.webhooks.addresses import AddressRules, is_allowed, is_public, url_fault

PUBLIC = ["8.8.8.8", "185.71.76.1", "2a00:1450:4010:c0f::65", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]
NOT_PUBLIC = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::1",
    "2002:a00:1::",
    "2001:0:7f00:1::f5ff:fffe",
    "",
    "localhost",
    "127.1",
    "0x7f000001",
    "2130706433",
    "010.0.0.1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(address) and is_allowed(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_other_addresses_are_not(address: str) -> None:
    assert not is_public(address) and not is_allowed(address)


def test_a_network_may_be_allowed_and_no_other_with_it() -> None:
    rules = AddressRules(networks=("127.0.0.0/8", "fd00::/8"))
    assert is_allowed("127.0.0.1", rules) and is_allowed("fd12::1", rules) and is_allowed("::ffff:127.0.0.1", rules)
    assert is_allowed("8.8.8.8", rules)
    assert not is_allowed("10.0.0.1", rules) and not is_allowed("::1", rules)


GOOD_URLS = [
    "https://hooks.example.ru/kopeck",
    "https://hooks.example.ru:8443/kopeck?key=1",
    "https://8.8.8.8/",
    "https://[2a00:1450:4010:c0f::65]:443/x",
    "https://xn--80aswg.xn--p1ai/",
    "HTTPS://HOOKS.example.ru/",
]
BAD_URLS = [
    ("http://hooks.example.ru/", "https"),
    ("ftp://hooks.example.ru/", "https"),
    ("file:///etc/passwd", "https"),
    ("hooks.example.ru", "https"),
    ("https:///path", "host"),
    ("https://", "host"),
    ("https://user@hooks.example.ru/", "user name"),
    ("https://user:pw@hooks.example.ru/", "user name"),
    ("https://hooks.example.ru@10.0.0.1/", "user name"),
    ("https://hooks.example.ru/#part", "fragment"),
    ("https://hooks.example.ru:0/", "port"),
    ("https://hooks.example.ru:99999/", "cannot be read"),
    ("https://hooks.example.ru:x/", "cannot be read"),
    ("https://[::1/", "cannot be read"),
    ("https://127.0.0.1/", "public"),
    ("https://[::1]/", "public"),
    ("https://[::ffff:10.0.0.1]/", "public"),
    ("https://169.254.169.254/latest/meta-data", "public"),
    ("https://127.1/", "number"),
    ("https://2130706433/", "number"),
    ("https://0x7f.1/", "number"),
    ("https://0x7f000001/", "number"),
    ("https://hooks.example.0x1./", "number"),
    ("https://сайт.рф/", "ASCII"),
    ("https://１２７.0.0.1/", "ASCII"),
    ("https://hooks.example.ru/a b", "ASCII"),
    ("https://hooks.example.ru\\@10.0.0.1/", "ASCII"),
    ("https://hooks.example.ru/\r\nhost: x", "ASCII"),
    ("https://" + "a" * 2050, "2048"),
    ("https://exa_mple%2e.ru/", "host"),
]


@pytest.mark.parametrize("url", GOOD_URLS)
def test_good_urls_have_no_fault(url: str) -> None:
    assert url_fault(url) == ""


@pytest.mark.parametrize(("url", "word"), BAD_URLS)
def test_bad_urls_are_told_why(url: str, word: str) -> None:
    assert word in url_fault(url)


def test_the_demo_may_use_http_on_loopback_and_nothing_else_private() -> None:
    rules = AddressRules(http=True, networks=("127.0.0.0/8",))
    assert url_fault("http://127.0.0.1:8080/hook", rules) == ""
    assert url_fault("http://localhost:8080/hook", rules) == ""
    assert "public" in url_fault("http://10.0.0.1/hook", rules)
