"""Standard Webhooks signatures: a known vector, every verdict, rotation, round trips."""

import hashlib
import hmac
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.banks.standard_webhooks import Secret, Signed, Verdict, parse_secret, sign, signed_headers, verify

OLD, NEW = parse_secret("old raw secret"), parse_secret("whsec_" + b64encode(b"new secret of the bank").decode())
NOW = 1_795_000_000
BODY = '{"amount":100,"account":"Я"}'.encode()
GOOD = sign(NEW, message_id="op-1", timestamp=NOW, body=BODY)
GARBAGE = "v1," + b64encode(b"0" * 32).decode()


def test_signature_is_the_hmac_of_id_timestamp_and_body() -> None:
    digest = hmac.new(b"new secret of the bank", b"op-1.1795000000." + BODY, hashlib.sha256).digest()
    assert "v1," + b64encode(digest).decode() == GOOD


def test_published_example_verifies() -> None:
    """The example of the Standard Webhooks libraries' own test: secret, id, timestamp, body, signature."""
    secret = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(secret, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def verdict(message_id: str | None, timestamp: str | None, signature: str | None, now: int = NOW) -> Verdict:
    headers = Signed(message_id=message_id, timestamp=timestamp, signature=signature)
    return verify(headers, BODY, (OLD, NEW), now=now, window_s=300)


OLD_SIGNED = sign(OLD, message_id="op-1", timestamp=NOW, body=BODY)
VERDICTS = [
    ("op-1", str(NOW), GOOD, Verdict.VALID),
    ("op-1", str(NOW), OLD_SIGNED, Verdict.VALID),
    ("op-1", str(NOW), f"{GARBAGE} {GOOD}", Verdict.VALID),
    ("op-1", str(NOW), f"v1a,xyz v1,%% {GOOD}", Verdict.VALID),
    (None, str(NOW), GOOD, Verdict.MISSING),
    ("op-1", None, GOOD, Verdict.MISSING),
    ("op-1", str(NOW), None, Verdict.MISSING),
    ("op-1", str(NOW), "", Verdict.MISSING),
    ("op.1", str(NOW), GOOD, Verdict.MALFORMED),
    ("op 1", str(NOW), GOOD, Verdict.MALFORMED),
    ("op\0", str(NOW), GOOD, Verdict.MALFORMED),
    ("х" * 9, str(NOW), GOOD, Verdict.MALFORMED),
    ("1" * 10_000, str(NOW), GOOD, Verdict.MALFORMED),
    ("op-1", "1e9", GOOD, Verdict.MALFORMED),
    ("op-1", "-1", GOOD, Verdict.MALFORMED),
    ("op-1", "9" * 10_000, GOOD, Verdict.MALFORMED),
    ("op-1", str(NOW), "v1,", Verdict.MALFORMED),
    ("op-1", str(NOW), "v1,AAAA", Verdict.MALFORMED),
    ("op-1", str(NOW), "v1,яяя", Verdict.MALFORMED),
    ("op-1", str(NOW), GOOD.replace("v1,", "v2,"), Verdict.MALFORMED),
    ("op-1", str(NOW), " ".join([GARBAGE] * 8 + [GOOD]), Verdict.MALFORMED),
    ("op-1", str(NOW), " " * 10_000 + GOOD, Verdict.MALFORMED),
    ("op-1", str(NOW), GARBAGE, Verdict.WRONG_SIGNATURE),
    ("op-2", str(NOW), GOOD, Verdict.WRONG_SIGNATURE),
    ("op-1", str(NOW + 1), GOOD, Verdict.WRONG_SIGNATURE),
]


@pytest.mark.parametrize(("message_id", "timestamp", "signature", "expected"), VERDICTS)
def test_verdict(message_id: str | None, timestamp: str | None, signature: str | None, expected: Verdict) -> None:
    assert verdict(message_id, timestamp, signature) is expected


SKEWS = [(0, Verdict.VALID), (300, Verdict.VALID), (-300, Verdict.VALID), (301, Verdict.STALE), (-301, Verdict.STALE)]


@pytest.mark.parametrize(("skew_s", "expected"), SKEWS)
def test_clock_skew_within_the_window_is_forgiven_both_ways(skew_s: int, expected: Verdict) -> None:
    assert verdict("op-1", str(NOW), GOOD, now=NOW + skew_s) is expected


def test_wrong_signature_comes_before_stale() -> None:
    assert verdict("op-1", str(NOW), GARBAGE, now=NOW + 9_999) is Verdict.WRONG_SIGNATURE


def test_nobody_is_believed_without_a_secret() -> None:
    headers = Signed(message_id="op-1", timestamp=str(NOW), signature=GOOD)
    assert verify(headers, BODY, (), now=NOW, window_s=300) is Verdict.WRONG_SIGNATURE


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_%%%", "whsec_я"])
def test_unusable_secret_is_not_configured(text: str) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        parse_secret(text)


def test_headers_are_picked_by_name() -> None:
    headers = {"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v1,x", "host": "h"}
    assert signed_headers(headers) == Signed(message_id="a", timestamp="1", signature="v1,x")
    assert signed_headers({}) == Signed(message_id=None, timestamp=None, signature=None)


@given(st.binary(min_size=1), st.binary(), st.integers(0, 10**12 - 1))
def test_what_is_signed_verifies_and_nothing_else_does(secret: bytes, body: bytes, timestamp: int) -> None:
    signature = sign(Secret(secret), message_id="m-1", timestamp=timestamp, body=body)
    headers = Signed(message_id="m-1", timestamp=str(timestamp), signature=signature)
    assert verify(headers, body, (Secret(secret),), now=timestamp, window_s=0) is Verdict.VALID
    assert verify(headers, body + b" ", (Secret(secret),), now=timestamp, window_s=0) is Verdict.WRONG_SIGNATURE
    assert verify(headers, body, (Secret(secret + b"x"),), now=timestamp, window_s=0) is Verdict.WRONG_SIGNATURE


@given(st.text(), st.text(), st.text())
def test_any_headers_give_a_verdict(message_id: str, timestamp: str, signature: str) -> None:
    assert verdict(message_id, timestamp, signature) is not Verdict.VALID
    assert verdict("op-1", str(NOW), "v1," + signature) in (Verdict.MALFORMED, Verdict.WRONG_SIGNATURE)
