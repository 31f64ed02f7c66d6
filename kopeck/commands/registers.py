"""``kopeck registers``: registers of payments (реестры) loaded, shown line by line, recognised (docs/registers.md)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from connectors.registers.describing import DescriptionError
from connectors.registers.detection import FormatUncertain, detect_register
from connectors.registers.register import RegisterUnreadable
from connectors.registers.shipped import shipped_formats
from kopeck.channels import ChannelConfigError, ChannelsFile, read_channels
from kopeck.commands.acting import NotDone, by_option, log_to_standard_error
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, ledger_config, print_json, read_ledger
from kopeck.config import Config
from kopeck.demo.channels import FILE_NAME
from kopeck.embedded.servers import connect_or_start
from kopeck.personal_key import personal_sealer
from kopeck.register_loading import Bars, Loaded, NotLoadable, Wish, load_register, read_file
from kopeck.registers_shown import (
    print_formats,
    print_lines,
    print_loaded,
    print_missing,
    print_read,
    print_register,
    print_registers,
    write_lines,
)
from ledger.feed import Connection
from services.registers.booking import BookingUnfinished, RegisterBusy
from services.registers.showing import (
    LineView,
    NoSuchChannel,
    RegisterView,
    find_register,
    list_missing,
    list_registers,
    read_lines,
)
from services.registers.taking import Purpose, RegisterDiffers

REFUSALS = (NotLoadable, RegisterUnreadable, FormatUncertain, DescriptionError, RegisterDiffers, ChannelConfigError)
LIMIT_MAX = 10_000
FAULTS_PRINTED_MAX = 100
DATE = click.DateTime(formats=["%Y-%m-%d"])

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
format_option = click.option(
    "--format", "format_name", default="", metavar="NAME|FILE.toml", help="A shipped format, or your own description of one."
)


@click.group()
def registers() -> None:
    """Registers of payments: files of banks, agents and settlement centres."""


@registers.command()
@file_argument
@click.option("--channel", required=True, help="The channel of kind register that it comes for.")
@click.option(
    "--channels", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Channels of your own (docs/channels.md)."
)
@click.option("--purpose", type=click.Choice([one.value for one in Purpose]), help="Otherwise by what else stands in its space.")
@format_option
@by_option
@data_option
@json_option
def load(
    file: Path,
    channel: str,
    channels: Path | None,
    purpose: str | None,
    format_name: str,
    by: str,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Take a register whole and book its lines; the same register again changes nothing and says so."""
    config = ledger_config(data_dir)
    log_to_standard_error(config.log_level)
    wish = Wish(path=file, channel=channel, by=by, format=format_name, purpose=Purpose(purpose) if purpose else None)
    try:
        loaded = _load(config, _channels(config, channels), wish)
    except REFUSALS as error:
        raise NotDone(_told(file, error)) from error
    except (BookingUnfinished, RegisterBusy) as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    view, lines = _read_register(config.data_dir, loaded.taken.register)
    if as_json:
        print_json({"again": loaded.taken.again, "register": view, "lines": lines})
    else:
        print_loaded(console(), loaded, view, lines)


@registers.command(name="list")
@click.option("--channel", help="Of one channel.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=100, show_default=True, help="At most so many.")
@data_option
@json_option
def list_command(channel: str | None, limit: int, data_dir: Path | None, as_json: bool) -> None:
    """List registers, the newest first, with what became of their lines."""
    found = read_ledger(data_dir, lambda connection: list_registers(connection, channel, limit))
    if as_json:
        print_json(found)
    else:
        print_registers(console(), found)


@registers.command()
@click.argument("number", type=click.IntRange(1))
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the lines to a file.")
@data_option
@json_option
def show(number: int, csv_file: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show register NUMBER line by line. Exit code 2: there is none."""
    view, lines = _read_register(data_dir, number)
    if csv_file is not None:
        with csv_file.open("w", encoding="utf-8", newline="") as opened:
            write_lines(opened, lines)
    if as_json:
        print_json({"register": view, "lines": lines})
        return
    print_register(console(), view)
    if csv_file is None:
        print_lines(console(), lines)
    else:
        click.echo(f"{len(lines)} lines written to {csv_file}")


@registers.command()
@json_option
def formats(as_json: bool) -> None:
    """List the formats that are known without a description."""
    known = tuple(shipped_formats().values())
    if as_json:
        print_json(known)
    else:
        print_formats(console(), known)


@registers.command()
@file_argument
@format_option
@json_option
def detect(file: Path, format_name: str, as_json: bool) -> None:
    """Say which format FILE is in, or why it is in none; nothing is loaded. Exit code 2: none, or several."""
    try:
        if format_name:
            _, found = read_file(file, format_name)
        else:
            found = detect_register(file.read_bytes(), shipped_formats())
    except REFUSALS as error:
        raise NotDone(_told(file, error)) from error
    if as_json:
        told = {name: getattr(found, name) for name in found.__struct_fields__ if name != "lines"}
        print_json({**told, "lines": len(found.lines)})
    else:
        print_read(console(), file, found)


@registers.command()
@click.option("--channel", required=True, help="The channel that tells of payments one by one.")
@click.option("--day", type=DATE, required=True, help="The day in the counterparty's zone.")
@click.option("--zone", default="Europe/Moscow", show_default=True, help="The counterparty's time zone.")
@data_option
@json_option
def missing(channel: str, day: datetime, zone: str, data_dir: Path | None, as_json: bool) -> None:
    """List payments that we have and that no reconciliation register of their day names."""
    try:
        counterparty_zone = ZoneInfo(zone)
        found = read_ledger(data_dir, lambda connection: list_missing(connection, channel, day.date(), counterparty_zone))
    except (ZoneInfoNotFoundError, ValueError, NoSuchChannel) as error:
        raise NotDone(f"{error.args[0]}") from error
    if as_json:
        print_json(found)
    else:
        print_missing(console(), found)


def _channels(config: Config, own: Path | None) -> ChannelsFile:
    path = own or config.data_dir / FILE_NAME
    if not path.exists():
        raise NotDone(f"name your channels with --channels FILE: {path} is not there")
    return read_channels(path, os.environ)


def _load(config: Config, file: ChannelsFile, wish: Wish) -> Loaded:
    with connect_or_start(config.data_dir, config) as connections, _bars() as bars:
        return uvloop.run(load_register(connections, file, wish, personal_sealer(config), bars))


def _read_register(data_dir: Path | None, number: int) -> tuple[RegisterView, list[LineView]]:
    async def read(connection: Connection) -> tuple[RegisterView | None, list[LineView]]:
        return await find_register(connection, number), [line async for line in read_lines(connection, number)]

    view, lines = read_ledger(data_dir, read)
    if view is None:
        raise NotDone(f"no register {number}")
    return view, lines


@contextmanager
def _bars() -> Iterator[Bars]:
    """A progress bar on standard error, when that is a terminal."""
    shown = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=shown, disable=not shown.is_terminal, transient=True) as progress:
        task = progress.add_task("reading", total=None)
        yield Bars(
            read=lambda lines: progress.update(task, total=lines, description="booking"),
            booked=lambda done: progress.update(task, completed=done),
        )


def _told(file: Path, error: Exception) -> str:
    """Every fault of the file on a line of its own."""
    if isinstance(error, RegisterUnreadable):
        shown = [str(fault) for fault in error.faults[:FAULTS_PRINTED_MAX]]
        more = [f"… and {error.count - len(shown)} more"] if error.count > len(shown) else []
        return "\n".join([f"{file.name}: {error.count} faults; nothing was loaded", *shown, *more])
    if isinstance(error, FormatUncertain) and error.refused and not error.accepted:
        return "\n".join([f"{file.name}: no format accepts it", *(f"{name}: {fault}" for name, fault in error.refused.items())])
    return f"{file.name}: {error}"
