"""``acquirer`` of a ``[[channel]]``: what an acquirer's channel needs beside the common keys (docs/intake.md)."""

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from connectors.acquiring.rbs_settings import RbsSettings
from gateway.decoders import PATHS, decoder_of
from schemas.channel import AcquirerTerms, ChannelKind

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
PAGE_LIFE_S_MAX = 7 * 86_400
ACCOUNT_GROUP = "account"
PASSWORDS = "password, password_file and password_env exclude one another"

Secret = Callable[[str, str], str]
"""(a file's or a variable's name, where it stands) -> its text; a fault is noted where it is read."""


class AcquirerSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``acquirer``; ``public_key_files`` are files by ``sign_alias`` (RBS) or ``kid`` (Tochka)."""

    merchants: tuple[str, ...] = ()
    public_key_files: Mapping[str, str] = {}
    account_in_order: str = ""
    base_url: str = ""
    user: str = ""
    password: str = ""
    password_file: str = ""
    password_env: str = ""
    page_life_s: int = 1200
    account_field: str = ""
    order_field: str = ""
    key_hash: str = "sha512"
    keeps_empty: bool = True
    order_is_once: bool = False
    refund_amount: str = "operation"

    def __repr__(self) -> str:
        """Name the merchants without the password."""
        return f"AcquirerSection({self.merchants!r})"


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """How texts outside the file are read."""

    file: Secret
    environ: Secret


def fill_section(section: AcquirerSection, sources: Sources, faults: list[str], at: str) -> AcquirerSection:
    """Return the section with its password, and its keys' texts instead of their files' names."""
    passwords = [section.password] if section.password else []
    if section.password_file:
        passwords.append(sources.file(section.password_file, f"{at}: acquirer: password_file"))
    if section.password_env:
        passwords.append(sources.environ(section.password_env, f"{at}: acquirer: password_env"))
    if len(passwords) > 1:
        faults.append(f"{at}: acquirer: {PASSWORDS}")
    keys = {
        name: sources.file(file, f"{at}: acquirer: public_key_files: {name or 'the unnamed key'}")
        for name, file in section.public_key_files.items()
    }
    return msgspec.structs.replace(section, public_key_files=keys, password=passwords[0] if passwords else "")


def terms_of(filled: AcquirerSection) -> AcquirerTerms:
    """Return the terms of a filled section."""
    same = {
        field: getattr(filled, field) for field in AcquirerTerms.__struct_fields__ if field not in ("public_keys", "base_url")
    }
    return AcquirerTerms(public_keys=tuple(filled.public_key_files.items()), base_url=filled.base_url.rstrip("/"), **same)


def section_faults(kind: ChannelKind, terms: AcquirerTerms, secrets: tuple[str, ...]) -> Iterable[str]:
    """Return what is wrong with a section of ``kind``, its texts read; ``secrets`` are the channel's."""
    if kind not in PATHS:
        if terms != AcquirerTerms():
            yield f"acquirer has no meaning for kind {kind.value}"
        return
    if kind is ChannelKind.TOCHKA and secrets:
        yield "secrets, secret_files and secret_env have no meaning for kind tochka"
    if kind is not ChannelKind.RBS and len(terms.merchants) > 1:
        yield "acquirer: merchants must be one: a channel a terminal or customer"
    try:
        decoder_of(kind, terms, secrets)
    except ValueError as error:
        yield f"acquirer: {error}"
    yield from (f"acquirer: {fault}" for fault in (*_pattern_faults(terms), *_interface_faults(kind, terms)))


def _pattern_faults(terms: AcquirerTerms) -> Iterable[str]:
    if not terms.account_in_order:
        return
    try:
        groups = re.compile(terms.account_in_order).groupindex
    except re.error as error:
        yield f"account_in_order: {error}"
        return
    if ACCOUNT_GROUP not in groups:
        yield f"account_in_order: has no group (?P<{ACCOUNT_GROUP}>…)"


def _interface_faults(kind: ChannelKind, terms: AcquirerTerms) -> Iterable[str]:
    if not 1 <= terms.page_life_s <= PAGE_LIFE_S_MAX:
        yield f"page_life_s must be 1 … {PAGE_LIFE_S_MAX}"
    if not terms.base_url:
        if terms.user or terms.password:
            yield "user and password lead nowhere without base_url"
        return
    if kind is not ChannelKind.RBS:
        yield f"base_url has no meaning for kind {kind.value}"
        return
    url = urlsplit(terms.base_url)
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
        yield "base_url must start with https://: a password goes there"
    try:
        rbs_settings(terms)
    except ValueError as error:
        yield str(error)


def rbs_settings(terms: AcquirerTerms) -> RbsSettings:
    """Return how the acquirer's own interface is reached; a password without a user is a token. Raises ValueError."""
    told = {
        "base_url": terms.base_url,
        "user_name": terms.user,
        "password": terms.password if terms.user else "",
        "token": "" if terms.user else terms.password,
        "merchant_login": terms.merchants[0] if terms.merchants else "",
        "account_parameter": terms.account_field or None,
    }
    try:
        return msgspec.convert(told, RbsSettings)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
