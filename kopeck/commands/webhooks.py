"""``kopeck webhooks``: suppliers' endpoints and what they were told (Standard Webhooks)."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option, why_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json, read_ledger
from kopeck.counterparties import CounterpartyConfigError, read_counterparties
from ledger.feed import Connection
from schemas.webhook import EventType
from services.webhooks.endpoints import (
    OVERLAP,
    SUBSCRIBABLE,
    Endpoint,
    EndpointRefused,
    NewEndpoint,
    Registered,
    Rotation,
    end_endpoint,
    list_endpoints,
    register_endpoint,
    rotate_secret,
)
from services.webhooks.replays import (
    EVENTS_MAX,
    NEWEST,
    NotReplayable,
    ToldEvent,
    list_events,
    replay,
    replay_refused,
    send_test,
)
from services.webhooks.sealing import Sealer

MOMENT = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
HOUR = timedelta(hours=1)
OVERLAP_HOURS_MAX = 24 * 30
NO_KEY = (
    "the secret is kept sealed, and the key that seals it is missing: give --counterparties FILE whose table [webhooks] has "
    "key (64 hexadecimal digits), key_file or key_env. The demo of kopeck run has no such file, so it takes no endpoints"
)
endpoint_argument = click.argument("endpoint", type=click.IntRange(1, 2**31 - 1))
key_option = click.option(
    "--counterparties",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The counterparties' file of kopeck run; its [webhooks] key seals the secret.",
)


@click.group()
def webhooks() -> None:
    """Webhooks to suppliers: their endpoints, what they were told, and telling it again."""


@webhooks.group()
def endpoint() -> None:
    """Endpoints: registered, listed, given a new secret, ended."""


@endpoint.command()
@click.argument("recipient")
@click.argument("url")
@click.option(
    "--event",
    "events",
    multiple=True,
    required=True,
    type=click.Choice(sorted(event.value for event in SUBSCRIBABLE)),
    help="To be told of; may be repeated.",
)
@by_option
@key_option
@data_option
@json_option
def add(recipient: str, url: str, events: tuple[str, ...], by: str, **given: Any) -> None:
    """Register URL for RECIPIENT (its code) and show the secret, once, to be handed to the receiver's owner."""
    options = msgspec.convert(given, _KeyOptions)
    sealer = _sealer(options.file)
    new = NewEndpoint(recipient=recipient, url=url, events=tuple(EventType(event) for event in events), created_by=by)

    async def act(connection: Connection) -> Registered:
        try:
            return await register_endpoint(connection, new, sealer, utc_now())
        except EndpointRefused as error:
            raise NotDone(str(error)) from error

    _show_secret(act_on_ledger(options.data_dir, act), options.as_json)


@endpoint.command()
@endpoint_argument
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, OVERLAP_HOURS_MAX),
    default=OVERLAP // HOUR,
    show_default=True,
    help="The old secret signs too for so long; 0 after a leak.",
)
@by_option
@key_option
@data_option
@json_option
def rotate(endpoint: int, overlap_hours: int, by: str, **given: Any) -> None:
    """Give ENDPOINT a new secret and show it, once."""
    options = msgspec.convert(given, _KeyOptions)
    sealer = _sealer(options.file)
    rotation = Rotation(by=by, at=utc_now(), overlap=overlap_hours * HOUR)

    async def act(connection: Connection) -> Registered:
        try:
            return await rotate_secret(connection, endpoint, sealer, rotation)
        except EndpointRefused as error:
            raise NotDone(str(error)) from error

    _show_secret(act_on_ledger(options.data_dir, act), options.as_json)


@endpoint.command(name="list")
@click.option("--recipient", help="Of this recipient, by its code.")
@data_option
@json_option
def list_command(recipient: str | None, data_dir: Path | None, as_json: bool) -> None:
    """List endpoints, ended ones too; secrets are counted and never shown."""
    found = read_ledger(data_dir, lambda connection: list_endpoints(connection, recipient))
    if as_json:
        print_json(found)
        return
    table = Table("endpoint", "recipient", "address", "events", "state", "secrets", "registered by")
    for one in found:
        words = (str(one.endpoint), one.recipient, one.url, ", ".join(one.events), _state(one), str(one.secrets))
        table.add_row(*words, one.created_by)
    console().print(table)


@endpoint.command()
@endpoint_argument
@by_option
@why_option
@data_option
@json_option
def end(endpoint: int, by: str, why: str, data_dir: Path | None, as_json: bool) -> None:
    """End ENDPOINT for good and cancel what waits for it."""

    async def act(connection: Connection) -> int:
        try:
            return await end_endpoint(connection, endpoint, by, why, utc_now())
        except EndpointRefused as error:
            raise NotDone(str(error)) from error

    cancelled = act_on_ledger(data_dir, act)
    if as_json:
        print_json({"endpoint": endpoint, "cancelled": cancelled})
    else:
        click.echo(f"endpoint {endpoint} is ended, {cancelled} messages on their way to it are cancelled")


@webhooks.group()
def events() -> None:
    """What endpoints were told."""


@events.command(name="list")
@endpoint_argument
@click.option("--before", type=click.IntRange(1, NEWEST), default=NEWEST, help="Only events with a smaller number.")
@click.option("--limit", type=click.IntRange(1, EVENTS_MAX), default=20, show_default=True, help="At most so many.")
@data_option
@json_option
def list_events_command(endpoint: int, before: int, limit: int, data_dir: Path | None, as_json: bool) -> None:
    """List what ENDPOINT was told, the newest first, with every sending."""
    found = read_ledger(data_dir, lambda connection: list_events(connection, endpoint, before=before, events_max=limit))
    if as_json:
        print_json([_event_told(one) for one in found])
        return
    table = Table("event", "type", "made (UTC)", "message id", "sending", "state", "attempts", "asked by", "reason")
    for one in found:
        first: tuple[str, ...] = (str(one.event), one.type.value, f"{one.created_at:%Y-%m-%d %H:%M:%S}", one.message_id)
        for turn, sending in enumerate(one.sendings, start=1):
            words = (str(turn), sending.state.name.lower(), str(sending.attempts), sending.asked_by or "", sending.reason)
            table.add_row(*first, *words)
            first = ("", "", "", "")
    console().print(table)


@webhooks.command(name="replay")
@click.argument("event", required=False, type=click.IntRange(1, NEWEST))
@click.option("--endpoint", type=click.IntRange(1, 2**31 - 1), help="Instead of an EVENT: all that this endpoint refused …")
@click.option("--since", type=MOMENT, help="… since this moment, UTC.")
@by_option
@data_option
@json_option
def replay_command(event: int | None, endpoint: int | None, since: datetime | None, by: str, **given: Any) -> None:
    """Send EVENT once more, or all that an endpoint did not take; the receiver sees the same id and body."""
    if (event is None) == (endpoint is None) or (endpoint is None) != (since is None):
        raise click.UsageError("give either an EVENT, or --endpoint and --since")
    options = msgspec.convert(given, _Options)

    async def act(connection: Connection) -> tuple[str, ...]:
        try:
            if event is not None:
                return (await replay(connection, event, by),)
            assert endpoint is not None and since is not None
            return await replay_refused(connection, endpoint, since.replace(tzinfo=UTC), by)
        except NotReplayable as error:
            raise NotDone(str(error)) from error

    keys = act_on_ledger(options.data_dir, act)
    if options.as_json:
        print_json({"keys": keys})
    else:
        click.echo(f"{len(keys)} on their way again: {', '.join(keys) or 'none'}")


@webhooks.command()
@endpoint_argument
@by_option
@data_option
@json_option
def test(endpoint: int, by: str, data_dir: Path | None, as_json: bool) -> None:
    """Send ENDPOINT a message of type webhook.test."""

    async def act(connection: Connection) -> str:
        try:
            return await send_test(connection, endpoint, by, utc_now())
        except NotReplayable as error:
            raise NotDone(str(error)) from error

    message_id = act_on_ledger(data_dir, act)
    if as_json:
        print_json({"message_id": message_id})
    else:
        click.echo(f"message {message_id} is on its way to endpoint {endpoint}")


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    data_dir: Path | None
    as_json: bool


class _KeyOptions(msgspec.Struct, frozen=True, kw_only=True):
    data_dir: Path | None
    as_json: bool
    file: Path | None


def _sealer(file: Path | None) -> Sealer:
    """A sealer by the counterparties' file; without a key the command ends with what is missing."""
    if file is None:
        raise NotDone(NO_KEY)
    try:
        keys = read_counterparties(file, os.environ).webhook_keys
    except CounterpartyConfigError as error:
        raise NotDone(str(error)) from error
    if not keys:
        raise NotDone(f"{file} has no table [webhooks] with a key: {NO_KEY}")
    return Sealer(tuple(bytes.fromhex(key) for key in keys))


def _show_secret(made: Registered, as_json: bool) -> None:
    if as_json:
        print_json({"endpoint": made.endpoint, "secret": made.secret})
        return
    click.echo(f"endpoint {made.endpoint}")
    click.echo(f"secret   {made.secret}")
    click.echo("The secret is shown this once: hand it to the receiver's owner over a safe way.", err=True)


def _state(one: Endpoint) -> str:
    if not one.active:
        return f"ended by {one.ended_by}: {one.ended_reason}"
    return "active" if one.closed_reason is None else f"closed by its owner: {one.closed_reason}"


def _event_told(one: ToldEvent) -> dict[str, Any]:
    """An event with its body as JSON and the states of its sendings as words."""
    told: dict[str, Any] = msgspec.to_builtins(one)
    sendings = [
        {**shown, "state": sending.state.name.lower()} for shown, sending in zip(told["sendings"], one.sendings, strict=True)
    ]
    return {**told, "body": msgspec.Raw(one.body.encode()), "sendings": sendings}
