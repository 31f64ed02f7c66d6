"""``kopeck settle``: a cut by hand, and what it ordered, sent and carried (docs/settlement.md)."""

from datetime import datetime
from pathlib import Path

import click
import msgspec

from kopeck.clock import utc_now
from kopeck.commands.acting import act_on_ledger
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, ledger_config, print_json
from kopeck.config import ConfigError
from kopeck.personal_key import personal_sealer
from kopeck.transfers_shown import print_carried, print_transfers
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from ledger.names import Names, fetch_names
from schemas.money import roubles_for_people
from services.runner import catch_up
from services.sealing import Sealer
from services.settlement.consumer import SettlementConsumer
from services.settlement.inspection import TransferView, Wanted, list_transfers
from services.settlement.orders import AggregatorBusy, SettlementBroken
from services.settlement.pace import settle_now
from services.settlement.registers import RegisterFaulty
from services.settlement.waiting import CarriedMoney, list_carried


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What the cuts of all transit accounts did: orders made, registers that left, and money that waits on."""

    cuts: tuple[int, ...]
    orders: tuple[TransferView, ...]
    registers: tuple[str, ...]
    carried: tuple[CarriedMoney, ...]


@click.command()
@data_option
@json_option
def settle(data_dir: Path | None, as_json: bool) -> None:
    """Cut every transit account now: make orders from all confirmed money, send what is approved.

    Cuts are made by themselves at the banks' times; this is the end of a day by hand. It first reads what the ledger has
    recorded, so it needs nothing else running; registers leave when the delivery process runs.
    """
    try:
        sealer = _sealer(data_dir)
        settled, names = act_on_ledger(data_dir, lambda connection: _settle(connection, utc_now(), sealer))
    except (AggregatorBusy, LookupError) as error:
        raise click.ClickException(str(error)) from error
    except SettlementBroken as error:
        raise click.ClickException(f"{error}: run kopeck verify") from error
    except RegisterFaulty as error:
        raise click.ClickException(
            f"orders are made, their register cannot leave: {error}: see kopeck contracts transit"
        ) from error
    if as_json:
        carried = [{**msgspec.structs.asdict(one), "account": names.name_of(one.account)} for one in settled.carried]
        print_json({**msgspec.structs.asdict(settled), "carried": carried})
    else:
        _print(settled, names)


def _sealer(data_dir: Path | None) -> Sealer | None:
    """Return what unseals payers' names; without a key everything leaves but returns to payers, which says so."""
    try:
        return personal_sealer(ledger_config(data_dir))
    except ConfigError as error:
        click.echo(f"returns to payers do not leave: {error}", err=True)
        return None


async def _settle(connection: Connection, now: datetime, sealer: Sealer | None) -> tuple[Settled, Names]:
    await catch_up(connection, SettlementConsumer())
    reports = await settle_now(connection, now, sealer)
    keys = tuple(key for report in reports for key in report.orders)
    orders = await list_transfers(connection, Wanted(keys=keys), len(keys)) if keys else ()
    settled = Settled(
        cuts=tuple(report.cut for report in reports if report.cut is not None),
        orders=orders,
        registers=tuple(sorted({one.register for one in orders if one.register})),
        carried=await list_carried(connection, now.astimezone(MOSCOW).date()),
    )
    return settled, await fetch_names(connection)


def _print(settled: Settled, names: Names) -> None:
    out = console()
    ordered = sum(one.amount_kopecks for one in settled.orders)
    out.print(f"ORDERED {len(settled.orders)} orders, {roubles_for_people(ordered)} ₽")
    if settled.orders:
        print_transfers(out, settled.orders)
    for register in settled.registers:
        out.print(f"Register {register} is on its way to the bank.")
    carried = sum(one.amount_kopecks for one in settled.carried)
    out.print(f"CARRIED {len(settled.carried)} sums, {roubles_for_people(carried)} ₽")
    if settled.carried:
        print_carried(out, settled.carried, names)
