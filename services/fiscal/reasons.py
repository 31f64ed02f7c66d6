"""Why the lines of an entry have the receipts they have: each decision with the row and the source of the rule. Readers only."""

from datetime import date

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.allocation import PayerKind
from services.fiscal.core.decision import Entry, Known, Origin, Payer, corrected_place, situation_of
from services.fiscal.core.drafts import merged_lines
from services.fiscal.core.reference import Form, Relation
from services.fiscal.core.templates import LineFacts, Situation, Templates, relation_of
from services.fiscal.reading import list_charges, list_entries_at
from services.fiscal.registers import fetch_reference

_SQL = load_statements("services/fiscal/reasons.sql")


class ReceiptReason(msgspec.Struct, frozen=True, kw_only=True):
    """One decision about lines of an entry, by the tables as they are now. ``issuer`` is the code of who would issue.

    ``issues`` says who does; ``source`` is the rule's. Without a row in force ``valid_from`` is None and the rest empty.
    """

    issuer: str
    relation: Relation
    legal_kind: str
    payer_kind: str
    form: Form
    lines: int
    amount_kopecks: int
    issues: str = ""
    reason: str = ""
    deadline: str = ""
    valid_from: date | None = None
    source: str = ""


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision is looked up by."""

    issuer: int
    relation: Relation
    form: Form


async def list_reasons(connection: Connection, book: int, sequence: int) -> tuple[ReceiptReason, ...]:
    """Return the decisions about what an entry credited to lines, in the order of its lines; none for an entry without them."""
    entry = (await list_entries_at(connection, [(book, sequence)])).get((book, sequence))
    if entry is None or entry.personal_account is None:
        return ()
    found = await connection.fetchrow(_SQL["find_payer"], entry.personal_account)
    if found is None:
        return ()
    payer = Payer(kind=PayerKind(found["payer_kind"]), provider=found["provider"], contact="")
    known = await _known(connection, entry)
    situation = situation_of(entry, payer, known)
    cases: dict[_Case, list[int]] = {}
    for line, amount in merged_lines(entry.lines, entry.amounts).items():
        facts = known.charges.get((entry.personal_account, line))
        if amount > 0 and facts is not None:
            cases.setdefault(_case(known, situation, facts), []).append(amount)
    return tuple([await _reason(connection, (known, situation), case, amounts) for case, amounts in cases.items()])


async def _known(connection: Connection, entry: Entry) -> Known:
    """The tables and the entry's charges; of what a correction corrects, the key and the channel only."""
    origins = {}
    corrected = corrected_place(entry)
    if corrected is not None:
        book, sequence, nth = corrected
        row = await connection.fetchrow(_SQL["find_origin"], book, sequence)
        if row is not None:
            origin = Origin(space=row["space"], external_id=row["external_id"], channel=row["channel"], nth=nth, issued=())
            origins[entry.book, entry.sequence] = origin
    return Known(
        payers={},
        charges=await list_charges(connection, [entry]),
        templates=Templates(await fetch_reference(connection)),
        origins=origins,
    )


def _case(known: Known, situation: Situation, line: LineFacts) -> _Case:
    reference = known.templates.reference
    relation, _ = relation_of(reference, situation, line)
    issuer = situation.provider if relation is Relation.AGENCY else line[0]
    return _Case(issuer=issuer, relation=relation, form=reference.form_at(issuer, situation.day))


async def _reason(connection: Connection, stand: tuple[Known, Situation], case: _Case, amounts: list[int]) -> ReceiptReason:
    known, situation = stand
    key = situation.legal_kind, case.relation, situation.payer_kind, case.form, situation.day
    row = await connection.fetchrow(_SQL["find_decision"], *key)
    told = ReceiptReason(
        issuer=known.templates.reference.code_of(case.issuer),
        relation=case.relation,
        legal_kind=situation.legal_kind,
        payer_kind=situation.payer_kind.name.lower(),
        form=case.form,
        lines=len(amounts),
        amount_kopecks=sum(amounts),
    )
    return told if row is None else msgspec.structs.replace(told, **dict(row))
