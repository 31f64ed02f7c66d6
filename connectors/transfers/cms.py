"""Detached CMS signatures (RFC 5652): read one, and verify it with pinned certificates; ``cryptography`` only signs.

Only what registers use is understood: DER with definite lengths, one signer named by issuer and serial number, signed attributes,
RSA (PKCS #1 v1.5) or ECDSA with SHA-2. GOST signatures are read and their signer named, but only the bank can verify them.
"""

import hashlib
import hmac
from datetime import UTC, datetime

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from connectors.transfers.der import DerError, Element, children, integer, object_id, read_element

SIGNATURE_BYTES_MAX = 65_536
SIGNED_DATA, PLAIN_DATA = "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
DIGESTS: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "2.16.840.1.101.3.4.2.1": ("sha256", hashes.SHA256()),
    "2.16.840.1.101.3.4.2.2": ("sha384", hashes.SHA384()),
    "2.16.840.1.101.3.4.2.3": ("sha512", hashes.SHA512()),
}
_RSA = frozenset({"1.2.840.113549.1.1.1", "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13"})
_ECDSA = frozenset({"1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4"})
_SEQUENCE, _SET, _OCTETS, _UTC_TIME, _GENERAL_TIME, _EXPLICIT_0 = 0x30, 0x31, 0x04, 0x17, 0x18, 0xA0


class CmsError(ValueError):
    """No signature of the promised form, or a wrong one; the message says which."""


class DetachedSignature(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature says of itself, unverified. ``attributes`` is the DER that was signed; object ids are dotted."""

    digest: str
    algorithm: str
    attributes: bytes
    message_digest: bytes
    signed_at: datetime
    signature: bytes
    issuer: bytes
    serial: int
    certificates: tuple[bytes, ...]


def read_signature(der: bytes) -> DetachedSignature:
    """Read a detached signature without believing it; raises CmsError."""
    if len(der) > SIGNATURE_BYTES_MAX:
        raise CmsError("the signature is too long")
    try:
        return _read(der)
    except ValueError as error:
        raise CmsError(f"not a detached CMS signature: {error}") from error


def verify_detached(der: bytes, content: bytes, trusted: tuple[x509.Certificate, ...]) -> tuple[str, datetime]:
    """Return the signer's subject (RFC 4514) and the signing time; raises CmsError.

    The signer's certificate is taken from ``trusted`` only, whatever certificates came along, and must have been valid at the
    signing time.
    """
    found = read_signature(der)
    certificate = next((one for one in trusted if _is_named(found, one)), None)
    if certificate is None:
        raise CmsError("the signer's certificate is not among the trusted ones")
    if not certificate.not_valid_before_utc <= found.signed_at <= certificate.not_valid_after_utc:
        raise CmsError("the signer's certificate was not valid at the signing time")
    if found.digest not in DIGESTS:
        raise CmsError(f"the digest {found.digest} is not known here")
    _check_digest(found, content)
    _check_signature(found, certificate)
    return certificate.subject.rfc4514_string(), found.signed_at


def claimed_signer(der: bytes, content: bytes) -> tuple[str, datetime]:
    """Return whom a signature that we ordered names, and when; raises CmsError.

    The signer's certificate must have come along, and the digest must be that of ``content`` where the algorithm is known here.
    """
    found = read_signature(der)
    if found.digest in DIGESTS:
        _check_digest(found, content)
    for one in found.certificates:
        try:
            certificate = x509.load_der_x509_certificate(one)
        except ValueError as error:
            raise CmsError(f"a certificate in the signature cannot be read: {error}") from error
        if _is_named(found, certificate):
            return certificate.subject.rfc4514_string(), found.signed_at
    raise CmsError("the signer's certificate is not in the signature")


def _is_named(found: DetachedSignature, certificate: x509.Certificate) -> bool:
    return certificate.serial_number == found.serial and certificate.issuer.public_bytes() == found.issuer


def _check_digest(found: DetachedSignature, content: bytes) -> None:
    name, _ = DIGESTS[found.digest]
    if not hmac.compare_digest(hashlib.new(name, content).digest(), found.message_digest):
        raise CmsError("the signature is of other content")


def _check_signature(found: DetachedSignature, certificate: x509.Certificate) -> None:
    _, algorithm = DIGESTS[found.digest]
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and found.algorithm in _RSA:
            key.verify(found.signature, found.attributes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and found.algorithm in _ECDSA:
            key.verify(found.signature, found.attributes, ec.ECDSA(algorithm))
        else:
            raise CmsError(f"the algorithm {found.algorithm} does not fit the certificate's key")
    except InvalidSignature as error:
        raise CmsError("the signature is wrong") from error


def _read(der: bytes) -> DetachedSignature:
    kind, wrapped = children(read_element(der, _SEQUENCE))
    if object_id(kind) != SIGNED_DATA:
        raise DerError("not signed data")
    _, _, encapsulated, *rest = children(read_element(wrapped.content, _SEQUENCE))
    inside = children(encapsulated)
    if len(inside) != 1 or object_id(inside[0]) != PLAIN_DATA:
        raise DerError("the content must be plain data and stand outside")
    certificates = tuple(one.whole for part in rest if part.tag == _EXPLICIT_0 for one in children(part))
    signers = children(rest[-1])
    if rest[-1].tag != _SET or len(signers) != 1:
        raise DerError("exactly one signer is expected")
    return _signer(children(signers[0]), certificates)


def _signer(parts: list[Element], certificates: tuple[bytes, ...]) -> DetachedSignature:
    _, named, digest, attributes, algorithm, signature = parts[:6]
    if named.tag != _SEQUENCE or attributes.tag != _EXPLICIT_0 or signature.tag != _OCTETS:
        raise DerError("a signer is named by issuer and serial number and signs attributes")
    issuer, serial = children(named)
    values = _attributes(attributes)
    if object_id(values[CONTENT_TYPE]) != PLAIN_DATA or values[MESSAGE_DIGEST].tag != _OCTETS:
        raise DerError("the signed content type is not plain data")
    return DetachedSignature(
        digest=object_id(children(digest)[0]),
        algorithm=object_id(children(algorithm)[0]),
        # The tag of a SET is signed in place of the implicit one (RFC 5652 § 5.4).
        attributes=bytes([_SET]) + attributes.whole[1:],
        message_digest=values[MESSAGE_DIGEST].content,
        signed_at=_moment(values[SIGNING_TIME]),
        signature=signature.content,
        issuer=issuer.whole,
        serial=integer(serial),
        certificates=certificates,
    )


def _attributes(attributes: Element) -> dict[str, Element]:
    """Return the attributes with one value; raises DerError when one is given twice or one that is needed is missing."""
    found: dict[str, Element] = {}
    for attribute in children(attributes):
        kind, values = children(attribute)
        name = object_id(kind)
        if name in found:
            raise DerError("an attribute is given twice")
        if len(children(values)) == 1:
            found[name] = children(values)[0]
    if not {CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME} <= found.keys():
        raise DerError("content type, digest and time must be signed")
    return found


def _moment(element: Element) -> datetime:
    formats = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERAL_TIME: "%Y%m%d%H%M%SZ"}
    try:
        return datetime.strptime(element.content.decode("ascii"), formats[element.tag]).replace(tzinfo=UTC)
    except (ValueError, KeyError) as error:
        raise DerError("the signing time cannot be read") from error
