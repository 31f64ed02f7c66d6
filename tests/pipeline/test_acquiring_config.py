"""Acquirers' channels in the configuration: keys and passwords from files and the environment, every fault named."""

from pathlib import Path

import pytest

from connectors.sandbox.tochka import JwtKey, jwk_set
from kopeck.acquirer_sections import terms_of
from kopeck.channels import ChannelConfigError, read_channels
from kopeck.demo.recipients import BANK_BIC, TRANSIT_ACCOUNT
from kopeck.endpoints import channel_endpoints
from schemas.channel import Channel, ChannelKind, LegalKind, Manner
from schemas.ids import ChannelNumber, Space, Transit
from tests.connectors.acquirer_keys import private_pem, public_pem

ACQUIRER = f"""
[[transit]]
account = "{TRANSIT_ACCOUNT}"
bic = "{BANK_BIC}"
title = "Transit"

[[space]]
name = "acquirer"

[[channel]]
name = "web"
kind = "rbs"
manner = "reporting"
legal_kind = "acquirer"
space = "acquirer"
transit = "{TRANSIT_ACCOUNT}"
namespace = "epd"
secret_files = ["rbs.secret"]
acquirer = {{ base_url = "https://pay.example/payment/rest/", user = "kopeck-api", password_env = "RBS_PASSWORD", \
merchants = ["kopeck"], public_key_files = {{ "bank-2026" = "rbs.pem" }}, account_in_order = "ls(?P<account>[0-9]+)" }}

[[channel]]
name = "cards"
kind = "tbank"
manner = "reporting"
legal_kind = "acquirer"
space = "acquirer"
transit = "{TRANSIT_ACCOUNT}"
namespace = "epd"
secret_env = ["TBANK_PASSWORD"]
allow_networks = ["192.0.2.0/24"]
acquirer = {{ merchants = ["TESTDEMO"] }}

[[channel]]
name = "sbp"
kind = "tochka"
manner = "reporting"
legal_kind = "acquirer"
space = "acquirer"
transit = "{TRANSIT_ACCOUNT}"
namespace = "epd"
acquirer = {{ public_key_files = {{ "" = "tochka.json" }} }}

[[channel]]
name = "evening"
kind = "register"
manner = "reporting"
legal_kind = "acquirer"
space = "acquirer"
transit = "{TRANSIT_ACCOUNT}"
namespace = "epd"
"""
ENVIRON = {"RBS_PASSWORD": "word-of-the-interface", "TBANK_PASSWORD": "word-of-the-terminal"}

FAULTS = [
    ('secret_files = ["rbs.secret"]', 'secrets = ["short"]', "channel web: acquirer: Expected `str` of length >= 16"),
    ('"bank-2026" = "rbs.pem"', '"bank-2026" = "absent.pem"', "public_key_files: bank-2026: absent.pem cannot be read"),
    ('"bank-2026" = "rbs.pem"', '"bank-2026" = "rbs.secret"', "channel web: acquirer: expected a public key or a certificate"),
    ("(?P<account>[0-9]+)", "([0-9]+)", "channel web: acquirer: account_in_order: has no group"),
    ("(?P<account>[0-9]+)", "(?P<account>[0-9]+", "channel web: acquirer: account_in_order: missing )"),
    ("https://pay.example", "http://pay.example", "channel web: acquirer: base_url"),
    ('password_env = "RBS_PASSWORD", ', "", "channel web: acquirer: token, or user_name with password"),
    ('password_env = "RBS_PASSWORD"', 'password = "a", password_env = "RBS_PASSWORD"', "exclude one another"),
    ('base_url = "https://pay.example/payment/rest/", ', "", "user and password lead nowhere without base_url"),
    ('base_url = "https', 'page_life_s = 0, base_url = "https', "page_life_s must be 1"),
    ('base_url = "https', 'url = "x", base_url = "https', "unknown field `url`"),
    ('merchants = ["TESTDEMO"]', "", "channel cards: acquirer: Expected `str` of length >= 1"),
    ('merchants = ["TESTDEMO"]', 'merchants = ["A", "B"]', "channel cards: acquirer: merchants must be one"),
    ('secret_env = ["TBANK_PASSWORD"]', "", "channel cards: acquirer: Expected `array` of length >= 1"),
    ('allow_networks = ["192.0.2.0/24"]', "", "channel cards: allow_networks is needed: a Token has no borders"),
    ('{ "" = "tochka.json" }', "{}", "channel sbp: acquirer: Expected `array` of length >= 1"),
    ('{ "" = "tochka.json" }', '{ "" = "rbs.pem" }', "channel sbp: acquirer: keys: expected a JWK"),
    ('name = "evening"', 'name = "evening"\nacquirer = { merchants = ["x"] }', "acquirer has no meaning for kind register"),
    ('name = "evening"', 'name = "evening"\nsecrets = ["0123456789abcdef"]', "have no meaning for kind register"),
    ('name = "sbp"', 'name = "sbp"\nsecrets = ["0123456789abcdef"]', "have no meaning for kind tochka"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.joinpath("rbs.secret").write_text("callback-secret-of-the-bank\n", "utf-8")
    tmp_path.joinpath("rbs.pem").write_text(public_pem("rbs"), "utf-8")
    tmp_path.joinpath("tochka.json").write_text(jwk_set(JwtKey(pem=private_pem("tochka"), kid="1")), "utf-8")
    return tmp_path


def test_keys_and_passwords_are_read_and_shown_to_nobody(folder: Path) -> None:
    path = folder / "channels.toml"
    path.write_text(ACQUIRER, "utf-8")
    web, cards, sbp, evening = read_channels(path, ENVIRON).channel
    terms = terms_of(web.acquirer)
    assert terms.base_url == "https://pay.example/payment/rest"
    assert (terms.user, terms.password) == ("kopeck-api", "word-of-the-interface")
    assert terms.public_keys == (("bank-2026", public_pem("rbs").strip()),)
    assert web.secrets == ("callback-secret-of-the-bank",)
    assert cards.secrets == ("word-of-the-terminal",)
    assert terms_of(sbp.acquirer).public_keys[0][0] == ""
    assert evening.secrets == ()
    assert "word-of" not in f"{web!r}{terms!r}{web.acquirer!r}{cards!r}"


@pytest.mark.parametrize(("good", "bad", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_named_by_its_channel_and_key(folder: Path, good: str, bad: str, message: str) -> None:
    assert good in ACQUIRER
    path = folder / "channels.toml"
    path.write_text(ACQUIRER.replace(good, bad, 1), "utf-8")
    with pytest.raises(ChannelConfigError) as refused:
        read_channels(path, ENVIRON)
    assert message in str(refused.value)
    assert "word-of" not in str(refused.value) and "callback-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        (ChannelKind.RBS, "http://127.0.0.1/rbs/one"),
        (ChannelKind.TBANK, "http://127.0.0.1/tbank/one"),
        (ChannelKind.TOCHKA, "http://127.0.0.1/tochka/one"),
        (ChannelKind.REGISTER, ""),
        (ChannelKind.STATEMENT, ""),
    ],
)
def test_a_channel_with_a_route_is_told_where_to_call(kind: ChannelKind, url: str) -> None:
    channel = Channel(
        number=ChannelNumber(1),
        name="one",
        kind=kind,
        manner=Manner.REPORTING,
        legal_kind=LegalKind.ACQUIRER,
        space=Space(1),
        space_name="s",
        transit=Transit(1),
        transit_account=TRANSIT_ACCOUNT,
        namespace="epd",
    )
    (endpoint,) = channel_endpoints((channel,), "http://127.0.0.1", with_secrets=True)
    assert endpoint.url == url
