"""camt.052, .053 and .054 line by line: statuses, batches, reversals, pending sums, periods, pages, identities."""

from datetime import UTC, date, datetime

import pytest

from connectors.statements.camt import read_camt
from schemas.statement import BankStatement, StatementKind, StatementUnbelieved

ACCOUNT = "40911810101850000000"
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
PARTIES = (
    "<RltdPties><Dbtr><Nm>ПАО Банк</Nm><Id><OrgId><Othr><Id>7728168971</Id><SchmeNm><Cd>TXID</Cd></SchmeNm></Othr></OrgId></Id>"
    "</Dbtr><DbtrAcct><Id><Othr><Id>30232810500000000001</Id></Othr></Id></DbtrAcct></RltdPties>"
    "<RltdAgts><DbtrAgt><FinInstnId><ClrSysMmbId><ClrSysId><Cd>RUCBC</Cd></ClrSysId><MmbId>044525593</MmbId></ClrSysMmbId>"
    "</FinInstnId></DbtrAgt></RltdAgts>"
)


def payment(amount: str = "", purpose: str = "", refs: str = "", inside: str = "") -> str:
    """One TxDtls."""
    told = f'<Amt Ccy="RUB">{amount}</Amt>' if amount else ""
    remittance = f"<RmtInf><Ustrd>{purpose}</Ustrd></RmtInf>" if purpose else ""
    return f"<TxDtls><Refs>{refs}</Refs>{told}{inside}{remittance}</TxDtls>"


def line(amount: str = "100.00", *payments: str, direction: str = "CRDT", status: str = "BOOK", inside: str = "") -> str:
    """One Ntry of 24.11.2026."""
    return (
        f'<Ntry><Amt Ccy="RUB">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Sts>{status}</Sts>'
        f"<BookgDt><Dt>2026-11-24</Dt></BookgDt>{inside}<NtryDtls>{''.join(payments)}</NtryDtls></Ntry>"
    )


def balance(code: str, amount: str, direction: str = "CRDT") -> str:
    """One Bal."""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="RUB">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Dt><Dt>2026-11-24</Dt></Dt></Bal>'
    )


PERIOD = "<FrToDt><FrDtTm>2026-11-24T00:00:00</FrDtTm><ToDtTm>2026-11-24T23:59:59</ToDtTm></FrToDt>"


def document(content: str, *, message: str = "BkToCstmrStmt", part: str = "Stmt", version: str = "053.001.05") -> bytes:
    """A whole message with one part."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{version}">'
        f"<{message}><GrpHdr><MsgId>1</MsgId><CreDtTm>2026-11-25T07:00:00</CreDtTm></GrpHdr>"
        f"<{part}><Acct><Id><Othr><Id>{ACCOUNT}</Id></Othr></Id></Acct>{content}</{part}></{message}></Document>"
    ).encode()


def read(content: str, now: datetime = NOW) -> BankStatement:
    """What a camt.053 with this content says."""
    return read_camt(document(content), ACCOUNT, now)


def test_parties_purpose_and_references_are_found() -> None:
    refs = "<AcctSvcrRef>B6112400012345</AcctSvcrRef><EndToEndId>77</EndToEndId><TxId>SBP-1</TxId><InstrId>NOTPROVIDED</InstrId>"
    details = payment(refs=refs, inside=PARTIES + "<RmtInf><Ustrd>Оплата за те</Ustrd><Ustrd>пло. Л/с 12</Ustrd></RmtInf>")
    entry = read(PERIOD + line("4321.50", details, inside="<BkTxCd><Prtry><Cd>06</Cd></Prtry></BkTxCd>")).entries[0]
    assert (entry.amount_kopecks, entry.is_credit, entry.day, entry.number) == (432_150, True, date(2026, 11, 24), "77")
    assert (entry.purpose, entry.operation) == ("Оплата за тепло. Л/с 12", "06")
    party = entry.counterparty
    assert (party.name, party.inn, party.account, party.bic) == ("ПАО Банк", "7728168971", "30232810500000000001", "044525593")
    assert entry.references == ("B6112400012345", "77", "SBP-1") and not entry.is_reversal


def test_only_booked_lines_count() -> None:
    found = read(PERIOD + line("1.00") + line("2.00", status="PDNG") + line("3.00", status="INFO") + line("4.00"))
    assert [one.amount_kopecks for one in found.entries] == [100, 400]
    with pytest.raises(StatementUnbelieved, match="neither BOOK nor PDNG"):
        read(PERIOD + line("1.00", status="DONE"))


def test_a_batch_that_adds_up_is_as_many_entries_and_one_that_does_not_is_one() -> None:
    whole = read(PERIOD + line("100.00", payment("40.00", "первый"), payment("60.00", "второй")))
    assert [(one.amount_kopecks, one.purpose) for one in whole.entries] == [(4_000, "первый"), (6_000, "второй")]
    for payments in (
        (payment("40.00", "первый"), payment("59.00", "второй")),
        (payment("40.00", "первый"), payment("", "второй")),
        (payment("140.00", "первый"), payment("40.00", "второй", inside="<CdtDbtInd>DBIT</CdtDbtInd>")),
    ):
        net = read(PERIOD + line("100.00", *payments))
        assert [(one.amount_kopecks, one.purpose) for one in net.entries] == [(10_000, "первый; второй")]
    fee = read(PERIOD + line("100.00", payment("101.00", "с комиссией")))
    assert [one.amount_kopecks for one in fee.entries] == [10_000]


def test_sums_of_a_payment_stand_in_two_places_by_version() -> None:
    inside = '<AmtDtls><TxAmt><Amt Ccy="RUR">50</Amt></TxAmt></AmtDtls>'
    found = read(PERIOD + line("100.00", payment(inside=inside), payment("50.00000")))
    assert [one.amount_kopecks for one in found.entries] == [5_000, 5_000]


def test_a_reversal_moves_as_its_own_direction_says() -> None:
    entry = read(PERIOD + line("5.00", direction="DBIT", inside="<RvslInd>true</RvslInd>")).entries[0]
    assert entry.is_reversal and not entry.is_credit


def test_a_reference_that_lines_share_does_not_make_one_of_two() -> None:
    short = "<AcctSvcrRef>00000</AcctSvcrRef>"
    long = "<AcctSvcrRef>B6112400012345</AcctSvcrRef>"
    lines = [
        line("1.00", payment(purpose="а"), inside=short),
        line("1.00", payment(purpose="б"), inside=short),
        line("1.00", payment(purpose="а"), inside=long),
        line("0.01", direction="DBIT", inside=long),
        line("2.00", payment("1.00"), payment("1.00"), inside=long),
    ]
    ids = [one.bank_id for one in read(PERIOD + "".join(lines)).entries]
    assert len(set(ids)) == len(ids) == 6
    again = [one.bank_id for one in read(PERIOD + "".join(reversed(lines))).entries]
    assert set(again) == set(ids)
    # The bank's reference names the line though the bank words its purpose anew.
    reworded = read(PERIOD + line("1.00", payment(purpose="а, уточнено"), inside=long)).entries[0]
    assert reworded.bank_id == read(PERIOD + lines[2]).entries[0].bank_id


def test_a_reference_that_lines_share_names_none_of_them() -> None:
    batch = "<MsgId>MSG-000001</MsgId><PmtInfId>PMT-000001</PmtInfId>"
    parts = [payment("40.00", refs=f"{batch}<TxId>SBP-00000{one}</TxId>") for one in (1, 2)]
    parts[1] = parts[1].replace("40.00", "60.00")
    split = read(PERIOD + line("100.00", *parts, inside="<AcctSvcrRef>B6112400012345</AcctSvcrRef>"))
    assert [one.references for one in split.entries] == [("SBP-000001",), ("SBP-000002",)]
    whole = read(PERIOD + line("99.00", *parts, inside="<AcctSvcrRef>B6112400012345</AcctSvcrRef>"))
    assert whole.entries[0].references == ("B6112400012345", "MSG-000001", "PMT-000001", "SBP-000001", "SBP-000002")
    code = "<AcctSvcrRef>0000000050012008</AcctSvcrRef>"
    fee = line("0.01", direction="DBIT", inside=code)
    shared = read(PERIOD + line("1.00", inside=code) + line("2.00", inside=code) + fee)
    assert [one.references for one in shared.entries] == [(), (), ("0000000050012008",)]


SUMS = [
    balance("OPBD", "10.00") + balance("CLBD", "111.00"),
    balance("PRCD", "10.00") + balance("CLBD", "109.00"),
    balance("OPBD", "10.00", "DBIT") + balance("CLBD", "110.00"),
    balance("OPBD", "10.00") + balance("OPBD", "11.00"),
    "<TxsSummry><TtlCdtNtries><Sum>99.00</Sum></TtlCdtNtries></TxsSummry>",
    "<TxsSummry><TtlDbtNtries><Sum>1.00</Sum></TtlDbtNtries></TxsSummry>",
]


@pytest.mark.parametrize("told", SUMS)
def test_sums_that_do_not_agree_are_not_believed(told: str) -> None:
    with pytest.raises(StatementUnbelieved, match=r"agree|the lines make|differ"):
        read(PERIOD + told + line())


def test_pending_lines_in_the_bank_s_sums_are_not_told_on() -> None:
    told = balance("OPBD", "10.00") + balance("ITBD", "112.00")
    content = PERIOD + told + line() + line("2.00", status="PDNG")
    found = read_camt(document(content, message="BkToCstmrAcctRpt", part="Rpt", version="052.001.05"), ACCOUNT, NOW)
    assert (found.kind, found.opening_kopecks, found.closing_kopecks) == (StatementKind.INTRADAY, 1_000, None)
    assert read(content).kind is StatementKind.INTRADAY
    booked = PERIOD + balance("OPBD", "10.00") + balance("CLBD", "110.00") + line() + line("2.00", status="PDNG")
    assert (read(booked).kind, read(booked).closing_kopecks) == (StatementKind.FINAL, 11_000)


@pytest.mark.parametrize(
    ("message", "part", "version", "kind"),
    [
        ("BkToCstmrStmt", "Stmt", "053.001.02", StatementKind.FINAL),
        ("BkToCstmrStmt", "Stmt", "053.001.08", StatementKind.FINAL),
        ("BkToCstmrAcctRpt", "Rpt", "052.001.06", StatementKind.INTRADAY),
        ("BkToCstmrDbtCdtNtfctn", "Ntfctn", "054.001.04", StatementKind.NOTICE),
    ],
)
def test_the_message_says_what_it_may_be_used_for(message: str, part: str, version: str, kind: StatementKind) -> None:
    found = read_camt(document(line(), message=message, part=part, version=version), ACCOUNT, NOW)
    assert (found.kind, found.source) == (kind, f"camt.{version[:3]}")
    assert (found.since, found.until) == (date(2026, 11, 24), date(2026, 11, 24))


PERIODS = [
    ("2026-11-23T00:00:00", "2026-11-25T00:00:00", date(2026, 11, 23), date(2026, 11, 24)),
    ("2026-11-24T00:00:00", "2026-11-24T00:00:00", date(2026, 11, 24), date(2026, 11, 24)),
    ("2026-11-23T00:00:00", "2026-11-24T00:00:00", date(2026, 11, 23), date(2026, 11, 24)),
    ("2026-11-22T21:00:00Z", "2026-11-24T20:59:59Z", date(2026, 11, 23), date(2026, 11, 24)),
    ("2026-11-24", "2026-11-24", date(2026, 11, 24), date(2026, 11, 24)),
]


@pytest.mark.parametrize(("begin", "end", "since", "until"), PERIODS)
def test_periods_are_read_in_every_writing(begin: str, end: str, since: date, until: date) -> None:
    found = read(f"<FrToDt><FrDtTm>{begin}</FrDtTm><ToDtTm>{end}</ToDtTm></FrToDt>" + line())
    assert (found.since, found.until) == (since, until)


def test_several_parts_of_one_account_are_one_statement() -> None:
    def day(number: int, opening: str, closing: str) -> str:
        moments = f"<FrDtTm>2026-11-{number}T00:00:00</FrDtTm><ToDtTm>2026-11-{number}T23:59:59</ToDtTm>"
        content = balance("OPBD", opening) + balance("CLBD", closing) + line("5.00").replace("-24<", f"-{number}<")
        return f"<Stmt><Acct><Id><IBAN>{ACCOUNT}</IBAN></Id></Acct><FrToDt>{moments}</FrToDt>{content}</Stmt>"

    def message(*parts: str) -> bytes:
        return f"<Document><BkToCstmrStmt>{''.join(parts)}</BkToCstmrStmt></Document>".encode()

    found = read_camt(message(day(24, "15.00", "20.00"), day(23, "10.00", "15.00")), ACCOUNT, NOW)
    assert (found.since, found.until, found.opening_kopecks, found.closing_kopecks) == (
        date(2026, 11, 23),
        date(2026, 11, 24),
        1_000,
        2_000,
    )
    with pytest.raises(StatementUnbelieved, match="does not open"):
        read_camt(message(day(23, "10.00", "15.00"), day(24, "16.00", "21.00")), ACCOUNT, NOW)


REFUSED = [
    (
        document(PERIOD + line()).replace(
            b"<GrpHdr>", b"<GrpHdr><MsgPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></MsgPgntn>"
        ),
        "page",
    ),
    (document(PERIOD + line()).replace(b"<Acct>", b"<StmtPgntn><PgNb>2</PgNb></StmtPgntn><Acct>"), "page"),
    (document(PERIOD + line()).replace(b'Ccy="RUB"', b'Ccy="USD"'), "not in roubles"),
    (document(PERIOD + line("1,00")), "expected roubles"),
    (document(PERIOD + line("0.00")), "no sum"),
    (document(PERIOD + line(direction="CREDIT")), "CRDT nor DBIT"),
    (document(PERIOD + line()).replace(b"2026-11-24</Dt>", b"24.11.2026</Dt>"), "not a date"),
    (document(PERIOD + line()).replace(b"<BookgDt><Dt>2026-11-24</Dt></BookgDt>", b""), "no booking date"),
    (document(PERIOD + line()).replace(b"<BookgDt><Dt>2026-11-24", b"<BookgDt><Dt>2026-11-23"), "outside"),
    (document(PERIOD + line()).replace(b"2026-11-24", b"2026-12-24"), "to come"),
    (document(PERIOD + line())[:-20], "no XML that is read here, line 1"),
    (b'<!DOCTYPE a [<!ENTITY b "c">]><Document/>', "no XML"),
    (b"<Document/>", "0 statements"),
]


@pytest.mark.parametrize(("body", "reason"), REFUSED)
def test_a_message_that_cannot_be_believed_is_refused_in_words(body: bytes, reason: str) -> None:
    with pytest.raises(StatementUnbelieved, match=reason):
        read_camt(body, ACCOUNT, NOW)
