"""Verbs of the bank's side: its statements and what their lines were taken for, registers, reconciliation."""

import hashlib
from datetime import date, datetime, timedelta

from connectors.registers.detection import FormatUncertain, detect_register
from connectors.registers.register import RegisterUnreadable
from connectors.registers.shipped import shipped_formats
from connectors.sandbox.registers import RegisterFault, SentPayment, SentRegister, write_sent
from connectors.sandbox.statements import StatementFault, StatementPlan, write_1c, write_camt053
from connectors.statements.believing import read_any
from kopeck.clearing_tools import clearing_tools
from kopeck.register_loading import purpose_of
from schemas.ids import ExternalId, Transit
from schemas.money import kopecks_from_roubles
from schemas.statement import StatementEntry, StatementParty, StatementUnbelieved
from services.clearing.ageing import list_promised
from services.clearing.core.verdict import LineClass
from services.clearing.keeping import clear_once
from services.clearing.loading_rules import load_rules
from services.clearing.lookups import Wanted, find_line, list_lines
from services.clearing.persons import Said, classify_by_person
from services.clearing.taking import take_statement
from services.days import close_day
from services.reconciliation.closing import NotClosed, explain, sign_day
from services.reconciliation.core.words import Explanation
from services.reconciliation.report import reconcile
from services.registers.booking import Run, book_register
from services.registers.showing import read_lines
from services.registers.taking import RegisterDiffers, TakingTerms, take_register
from services.sealing import KEY_BYTES, Sealer
from tests.scenarios.plain_base import BIC, FIRST_DAY, RECIPIENTS, SQL, TRANSIT_ACCOUNT, HouseBase, roubles
from tests.scenarios.plain_text import Row, ScenarioFault, Step

SEALER = Sealer((b"k" * KEY_BYTES,))
ACQUIRER_INN, AGENT_INN, SBER_INN = "7700000001", "7700000002", "7707083893"
RULES = f"""
{{"name": "эквайер", "class": "cover", "transit": "{TRANSIT_ACCOUNT}", "payer_inn": ["{ACQUIRER_INN}"], "space": "acquirer", "bearer": "uk", "rates": [{{"since": "2026-01-01", "rate": 1000}}], "says": "реестр №?\\\\s*(?P<register>[0-9]+)|за (?P<day>[0-9.]{{10}})|операция (?P<operation>\\\\S+)"}}
{{"name": "агент", "class": "cover", "transit": "{TRANSIT_ACCOUNT}", "payer_inn": ["{AGENT_INN}"], "space": "net", "says": "за (?P<day>[0-9.]{{10}})"}}
{{"name": "сбер", "class": "cover", "transit": "{TRANSIT_ACCOUNT}", "payer_inn": ["{SBER_INN}"], "space": "sber", "says": "реестр №?\\\\s*(?P<register>[0-9]+)"}}
{{"name": "в 47416", "class": "to_hold", "transit": "{TRANSIT_ACCOUNT}", "payer_account": ["47416*"]}}
{{"name": "из 47416", "class": "from_hold", "transit": "{TRANSIT_ACCOUNT}", "payer_account": ["47416*"]}}
{{"name": "ошибки", "class": "technical", "transit": "{TRANSIT_ACCOUNT}", "operation": ["09"], "purpose": "ошибочно|сторно"}}
{{"name": "платежи", "class": "payment", "transit": "{TRANSIT_ACCOUNT}", "namespaces": {{"account": "epd"}}}}
"""  # noqa: E501
WRITERS = {"1c": write_1c, "camt": write_camt053}


class BankVerbs(HouseBase):
    """What the bank tells, and what is made of it."""

    async def do_rules(self, step: Step) -> None:
        """``rules``: the usual rules of classification; rows give further ones, as JSON, instead."""
        await load_rules(self.services, RULES.encode().splitlines(), "Иванова", self.now)

    async def do_statement(self, step: Step) -> str:
        """``statement DAY [opening=0.00] [format=camt] [fault=truncated] [made=DAY]``, rows ``in AMOUNT …`` and ``out AMOUNT …``.

        Taken in, classified, matched and booked.
        """
        day = date.fromisoformat(step.words[0])
        plan = StatementPlan(
            account=TRANSIT_ACCOUNT,
            since=day,
            until=day,
            entries=tuple([await self._entry(day, place, row) for place, row in enumerate(step.rows, start=1)]),
            opening_kopecks=kopecks_from_roubles(step.get("opening", "0.00")),
            made_on=date.fromisoformat(step.get("made")) if step.get("made") else None,
        )
        faults = frozenset(StatementFault(one) for one in step.get("fault").split(",") if one)
        body = WRITERS[step.get("format", "1c")](plan, faults)
        try:
            statement = read_any(body, TRANSIT_ACCOUNT, self.now + timedelta(days=1))
            taken = await take_statement(self.services, statement, SEALER, "Иванова", self.now)
        except StatementUnbelieved:
            return "refused"
        await self.clear()
        if taken.repeated:
            return "repeated"
        told = {"new": taken.new, "known": taken.known, "conflicts": taken.conflicts, "vanished": taken.vanished}
        return ", ".join(f"{name} {count}" for name, count in told.items() if count) or "empty"

    async def do_clear(self, step: Step) -> None:
        """``clear``: one more pass over the lines, after something was said of them."""
        await self.clear()

    async def do_line(self, step: Step) -> str:
        """``line N => cover difference -5.00``: the class of the N-th line of the account, and what its cover leaves over."""
        told = await self._line(step)
        words = [told.line_class or "none"]
        if told.difference:
            words.append(f"difference {roubles(told.difference)}")
        if told.vanished:
            words.append("vanished")
        elif told.sequence is None and told.line_class not in ("own_order", "returned_order"):
            words.append("unbooked")
        return " ".join(words)

    async def do_why(self, step: Step) -> str:
        """``why N => …``: what decided a line's class."""
        return (await self._line(step)).why

    async def do_cover(self, step: Step) -> str:
        """``cover N => register 5 promised 100.00 fee 1.00``: what a line covers."""
        told = await find_line(self.services, (await self._line(step)).line)
        assert told is not None and told.cover is not None, "the line is a cover"
        cover = told.cover
        fee = f" fee {roubles(cover.fee)}" if cover.fee else ""
        return f"{cover.by} {cover.reference} promised {roubles(cover.promised)}{fee}"

    async def do_classify(self, step: Step) -> str:
        """``classify N CLASS [space=…] [account=…] by=…``."""
        line = (await self._line(step)).line
        said = Said(line_class=LineClass(step.words[1]), space=step.get("space"), account=step.get("account"))
        try:
            await classify_by_person(self.services, line, said, step.get("by", "Иванова"), self.now)
        except ValueError as error:
            return f"refused: {error}"
        await self.clear()
        return "done"

    async def do_promised(self, step: Step) -> str:
        """``promised acquirer => 12.00``: what a space still promises."""
        await self.fold()
        today = self.now.date()
        found = [one for one in await list_promised(self.services, today) if one.space == step.words[0]]
        return roubles(sum(one.balance_kopecks for one in found))

    async def do_register(self, step: Step) -> str:
        """``register CHANNEL FORMAT number=5 [day=…] [fault=half]``, rows ``ID ACCOUNT AMOUNT [fee=…]``: its lines' outcomes."""
        channel = self.channels[step.words[0]]
        day = date.fromisoformat(step.get("day", self.now.date().isoformat()))
        sent = SentRegister(
            number=step.get("number", "1"),
            day=day,
            payments=tuple(self._sent(day, place, row) for place, row in enumerate(step.rows)),
        )
        content = write_sent(step.words[1], sent, RegisterFault(step.get("fault", "none")))
        try:
            read = detect_register(content, shipped_formats())
            terms = TakingTerms(
                by="Иванова",
                at=self.now,
                file_name="register",
                content_digest=hashlib.sha256(content).digest(),
                purpose=purpose_of(tuple(self.channels.values()), channel),
            )
            taken = await take_register(self.services, channel, read, terms)
        except (RegisterUnreadable, FormatUncertain, RegisterDiffers):
            return "refused"
        if not taken.booked:
            run = Run(
                utc_now=lambda: self.now, seal=SEALER.seal, payers={line.row: line.payer for line in read.lines if line.payer}
            )
            await book_register(self.services, await self.booking(), channel, taken.register, run)
        await self.clear()
        outcomes = [line.outcome for line in [one async for one in read_lines(self.services, taken.register)]]
        told = ", ".join(f"{name} {outcomes.count(name)}" for name in sorted({*outcomes}))
        return f"again: {told}" if taken.again is not None else told

    async def do_close_bank_day(self, step: Step) -> None:
        """``close_bank_day DAY NEXT``: the cut of the evening."""
        day, following = (date.fromisoformat(word) for word in step.words)
        await self.fold()
        await close_day(self.services, self.transit, day, following)

    async def do_reconcile(self, step: Step) -> str:
        """``reconcile DAY => clean``: or what has not ended as matched, by kind."""
        await self.fold()
        report = await reconcile(self.services, self.transit, date.fromisoformat(step.words[0]))
        if report.is_clean:
            return "clean"
        kinds = [item.kind.value for item in report.unexplained]
        return ", ".join(
            [f"{kind} {kinds.count(kind)}" for kind in sorted({*kinds})] + (["obstacles"] if report.obstacles else [])
        )

    async def do_explain(self, step: Step) -> str:
        """``explain DAY "text" by=…``: everything of the day that is not explained."""
        day = date.fromisoformat(step.words[0])
        report = await reconcile(self.services, self.transit, day)
        told = Explanation(text=step.words[1], by=step.get("by", "Иванова"), at=self.now)
        await explain(self.services, self.transit, day, tuple(item.place for item in report.unexplained), told)
        return f"{len(report.unexplained)} explained"

    async def do_sign(self, step: Step) -> str:
        """``sign DAY by=…``: the day's protocol; the second signature closes it."""
        await self.fold()
        try:
            signed = await sign_day(self.services, self.transit, date.fromisoformat(step.words[0]), step.get("by"), self.now)
        except NotClosed:
            return "refused"
        return "closed" if signed.protocol.is_closed else "signed"

    @property
    def transit(self) -> Transit:
        """The transit account's number."""
        return next(iter(self.channels.values())).transit

    async def clear(self) -> None:
        """One pass of clearing."""
        tools = clearing_tools(tuple(self.channels.values()), await self.booking(), SEALER)
        await self.fold()
        await clear_once(self.services, tools, self.now)
        await self.fold()

    async def _line(self, step: Step):  # type: ignore[no-untyped-def]
        lines = sorted(await list_lines(self.services, Wanted(), 1_000), key=lambda one: one.line)
        place = int(step.words[0])
        if not 0 < place <= len(lines):
            raise ScenarioFault(f"{step.number}: the account has {len(lines)} lines")
        return lines[place - 1]

    async def _entry(self, day: date, place: int, row: Row) -> StatementEntry:
        """A line; ``out heat`` executes the newest order to that recipient, ``in heat`` brings it back."""
        direction, amount = row.words
        if amount in RECIPIENTS:
            order = await self.services.fetchrow(SQL["newest_order"], amount)
            if order is None:
                raise ScenarioFault(f"{row.number}: {amount} has no order")
            row = Row(number=row.number, words=row.words, named={**dict(order), **row.named})
            amount = row.get("amount")
        party = StatementParty(
            name=row.get("name", "Банк плательщика"),
            inn=row.get("inn"),
            account=row.get("account", "40702810900000000099"),
            bic=row.get("bic", BIC),
        )
        return StatementEntry(
            bank_id=ExternalId(f"{day}-{place}"),
            day=day,
            is_credit=direction == "in",
            amount_kopecks=kopecks_from_roubles(amount),
            number=row.get("n", str(100 + place)),
            document_day=date.fromisoformat(row.get("dated")) if row.get("dated") else day,
            operation=row.get("op", "01"),
            counterparty=party,
            purpose=row.get("purpose", "Без назначения"),
        )

    def _sent(self, day: date, place: int, row: Row) -> SentPayment:
        operation, account, amount = row.words
        return SentPayment(
            operation=operation,
            account=account,
            amount_kopecks=kopecks_from_roubles(amount),
            fee_kopecks=kopecks_from_roubles(row.get("fee", "0.00")),
            moment=datetime(day.year, day.month, day.day, 10, place % 60, 0),
            period=int(row.get("period", "0")),
        )


assert FIRST_DAY.weekday() == 0, "texts count on a Monday"
