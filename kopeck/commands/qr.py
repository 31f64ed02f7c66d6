"""``kopeck qr``: payment codes of ГОСТ Р 56042-2014 made for a bill, and read from their text (docs/statements.md)."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
import segno

from connectors.payment_qr import PaymentQr, PaymentQrError, QrEncoding, make_payment_qr, read_payment_qr
from kopeck.commands.acting import NotDone
from kopeck.commands.reading import console, json_option, print_json
from schemas.money import MoneyError, kopecks_from_roubles, roubles_from_kopecks
from services.requisites import account_key_is_valid, inn_is_valid, kpp_is_valid

ENCODINGS = {"cp1251": QrEncoding.CP1251, "utf-8": QrEncoding.UTF8, "koi8-r": QrEncoding.KOI8_R}
SUFFIXES = (".svg", ".png")
MODULE_PIXELS = 8
QUIET_MODULES = 4
"""Free space around a symbol that scanners need (ISO/IEC 18004)."""


@click.group()
def qr() -> None:
    """Payment QR codes of bills (ГОСТ Р 56042-2014): make them, read their text."""


@qr.command()
@click.option("--name", required=True, help="Who is paid.")
@click.option("--account", required=True, help="Account that is paid, 20 digits.")
@click.option("--bank", "bank_name", required=True, help="Name of its bank.")
@click.option("--bic", required=True, help="БИК of the bank; the account's key must fit it.")
@click.option("--correspondent", default="", help="The bank's correspondent account; none for a treasury account.")
@click.option("--inn", "payee_inn", default="", help="ИНН of who is paid.")
@click.option("--kpp", default="", help="КПП of who is paid.")
@click.option("--personal-account", default="", help="Personal account (лицевой счёт) of the payer.")
@click.option("--purpose", default="", help="Purpose of the payment.")
@click.option("--period", type=click.DateTime(formats=["%Y-%m"]), help="Month that is paid for, YYYY-MM.")
@click.option("--sum", "roubles", help="Sum in roubles with a dot; left out, the payer enters it.")
@click.option("--field", "fields", multiple=True, metavar="KEY=VALUE", help="Any other field of the standard; repeatable.")
@click.option("--encoding", type=click.Choice(tuple(ENCODINGS)), default="utf-8", show_default=True, help="Encoding of the text.")
@click.option("--separator", default="", help="Sign between fields; chosen so that no value holds it by default.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to draw it into, .svg or .png.")
def make(roubles: str | None, fields: tuple[str, ...], encoding: str, separator: str, output: Path | None, **told: Any) -> None:
    """Make a code: draw it into a file, or print its text."""
    if output is not None and output.suffix.lower() not in SUFFIXES:
        raise click.BadParameter("a symbol is drawn as .svg or .png", param_hint="--output")
    period: datetime | None = told.pop("period")
    try:
        code = PaymentQr(
            **told,
            period=None if period is None else date(period.year, period.month, 1),
            amount_kopecks=None if roubles is None else kopecks_from_roubles(roubles),
            others=_others(fields),
        )
        _check_payee(code)
        payload = make_payment_qr(code, account_key_is_valid, encoding=ENCODINGS[encoding], separator=separator)
        if output is not None:
            draw(payload, output)
    except MoneyError as error:
        raise NotDone(f"--sum: {error}") from error
    except (PaymentQrError, segno.DataOverflowError, OSError) as error:
        raise NotDone(str(error)) from error
    click.echo(payload.decode(encoding) if output is None else f"{len(payload)} bytes drawn into {output}")


@qr.command()
@click.argument("text_or_file", metavar="TEXT|FILE")
@json_option
def read(text_or_file: str, as_json: bool) -> None:
    """Read a code's text, given as it is, as a file that holds it, or as - for standard input. Images are not read."""
    try:
        code = read_payment_qr(_payload(text_or_file), account_key_is_valid)
    except (PaymentQrError, OSError) as error:
        raise NotDone(str(error)) from error
    told = {
        "name": code.name,
        "account": code.account,
        "bank_name": code.bank_name,
        "bic": code.bic,
        "correspondent": code.correspondent,
        "payee_inn": code.payee_inn,
        "kpp": code.kpp,
        "personal_account": code.personal_account,
        "purpose": code.purpose,
        "period": "" if code.period is None else f"{code.period:%Y-%m}",
        **dict(code.others),
    }
    if as_json:
        print_json({**told, "amount_kopecks": code.amount_kopecks})
        return
    told["sum"] = "" if code.amount_kopecks is None else roubles_from_kopecks(code.amount_kopecks)
    out = console()
    for key, value in told.items():
        if value:
            out.print(f"{key:<18}{value}")


def draw(payload: bytes, output: Path) -> None:
    """Draw the symbol of a code: bytes as they are, without an ECI mark, which scanners of banks dislike."""
    symbol = segno.make(payload, error="m", mode="byte", eci=False, micro=False)
    symbol.save(str(output), kind=output.suffix.lower().removeprefix("."), scale=MODULE_PIXELS, border=QUIET_MODULES)


def _payload(text_or_file: str) -> bytes:
    if text_or_file == "-":
        return sys.stdin.buffer.read()
    if text_or_file.startswith("ST0001"):
        return text_or_file.encode("utf-8", "surrogateescape")
    if not Path(text_or_file).is_file():
        raise PaymentQrError("neither the text of a payment code (ST0001…) nor a file")
    return Path(text_or_file).read_bytes()


def _others(fields: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = [field.partition("=") for field in fields]
    if any(not key or not equals or not value for key, equals, value in pairs):
        raise PaymentQrError("--field is KEY=VALUE")
    return tuple((key, value) for key, _, value in pairs)


def _check_payee(code: PaymentQr) -> None:
    if code.payee_inn and not inn_is_valid(code.payee_inn):
        raise PaymentQrError("--inn has a wrong check digit")
    if code.kpp and not kpp_is_valid(code.kpp):
        raise PaymentQrError("--kpp is no КПП")
