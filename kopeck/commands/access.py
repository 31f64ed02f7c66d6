"""``kopeck access``: organisations that look in, their people and keys, the audit trail."""

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import asyncpg
import click
from rich.table import Table

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json
from ledger.feed import Connection
from portal.access.organisations import (
    AccessRefused,
    NewKey,
    NewOrganisation,
    add_key,
    add_organisation,
    list_audit,
    list_organisations,
    revoke_key,
)
from portal.access.passwords import WeakPassword
from portal.access.people import NewPerson, add_person
from portal.api.operations import Scope

Answer = TypeVar("Answer")

KINDS = ("operator", "provider", "supplier", "bank")
ROLES = ("viewer", "accountant", "approver", "administrator")


@click.group()
def access() -> None:
    """Who looks in: organisations, people, keys, the audit trail (docs/access.md)."""


@access.command()
@click.argument("code")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True)
@click.option("--recipient", "recipients", multiple=True, help="Code of a recipient that the organisation is.")
@click.option("--transit", "transits", multiple=True, help="Number of a transit account that the bank keeps.")
@by_option
@data_option
def organisation(code: str, name: str, kind: str, by: str, **given: object) -> None:
    """Add an organisation."""
    recipients, transits = (tuple(map(str, given[key] or ())) for key in ("recipients", "transits"))  # type: ignore[call-overload]
    new = NewOrganisation(code=code, name=name, kind=kind, recipients=recipients, transits=transits)
    _act(given["data_dir"], lambda connection: add_organisation(connection, new, by))
    click.echo(f"организация {code} добавлена")


@access.command()
@click.argument("organisation")
@click.argument("login")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@by_option
@data_option
def person(organisation: str, login: str, name: str, role: str, by: str, data_dir: Path | None) -> None:
    """Add a person; the password is read from standard input, or asked for twice on a terminal."""
    asked = click.prompt("Пароль", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else sys.stdin.readline()
    new = NewPerson(organisation=organisation, login=login, name=name, role=role, password=asked.rstrip("\n"))
    _act(data_dir, lambda connection: add_person(connection, new, by))
    click.echo(f"{login.strip().lower()} добавлен в {organisation}")


@access.command()
@click.argument("organisation")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice([scope.value for scope in Scope]))
@click.option("--until", type=click.DateTime(formats=["%Y-%m-%d"]), help="Its last day is the one before (UTC).")
@by_option
@data_option
def key(organisation: str, name: str, scopes: tuple[str, ...], until: datetime | None, by: str, **given: object) -> None:
    """Make a key and show it, once."""
    new = NewKey(
        name=name,
        organisation=organisation,
        scopes=tuple([Scope(scope) for scope in scopes]),
        expires_at=until and until.replace(tzinfo=UTC),
    )
    click.echo(_act(given["data_dir"], lambda connection: add_key(connection, new, by)))


@access.command()
@click.argument("name")
@by_option
@data_option
def revoke(name: str, by: str, data_dir: Path | None) -> None:
    """Revoke a key."""
    if not _act(data_dir, lambda connection: revoke_key(connection, name, by, utc_now())):
        raise NotDone(f"действующего ключа {name} нет")
    click.echo(f"ключ {name} отозван")


@access.command(name="list")
@data_option
@json_option
def list_command(data_dir: Path | None, as_json: bool) -> None:
    """List organisations with their recipients, people and keys."""
    rows = _act(data_dir, list_organisations)
    if as_json:
        print_json(rows)
        return
    table = Table("код", "название", "вид", "получатели", "люди", "ключи")
    for row in rows:
        table.add_row(row.code, row.name, row.kind, *["\n".join(names) for names in (row.recipients, row.people, row.keys)])
    console().print(table)


@access.command()
@click.option("--last", type=click.IntRange(1, 10_000), default=50, show_default=True)
@data_option
@json_option
def audit(last: int, data_dir: Path | None, as_json: bool) -> None:
    """Show the newest lines of the audit trail."""
    rows = _act(data_dir, lambda connection: list_audit(connection, last))
    if as_json:
        print_json(rows)
        return
    table = Table("когда (UTC)", "организация", "кто", "что", "о чём")
    for row in rows:
        table.add_row(row.at.strftime("%Y-%m-%d %H:%M:%S"), row.organisation, row.actor, row.action, row.subject)
    console().print(table)


def _act(data_dir: object, act: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Run ``act``; what cannot be done is one line and exit code 2."""
    try:
        return act_on_ledger(data_dir if isinstance(data_dir, Path) else None, act)
    except (AccessRefused, WeakPassword, LookupError) as error:
        raise NotDone(str(error)) from error
    except asyncpg.UniqueViolationError as error:
        raise NotDone("такой логин уже есть") from error
