"""pain.001 byte for byte, pain.002 status by status, and the exchange with Alfa-Link."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.transfers.alfa_link import AlfaLink, AlfaLinkSettings
from connectors.transfers.pain001 import NAMESPACE, identifier, message_id, write_pain001
from connectors.transfers.pain002 import STATES, read_pain002
from connectors.transfers.signing import Signed, SigningFailed
from connectors.xml_safe import XmlError, read_xml, text_at, texts
from schemas.delivery import Accepted, Closed, Done, NotTaken, Refused, Unknown
from schemas.exchange import ExchangeFailed, HttpAnswer
from schemas.transfer import TransferBatch, TransferState
from tests.connectors.transfer_desk import (
    BANK,
    BUDGET,
    CREDIT,
    DAY,
    HEAT,
    Stage,
    Told,
    batch_of,
    outgoing,
    report_of,
    sign,
    transfer,
)

GOLDEN = Path(__file__).parent / "golden" / "pain001.xml"
LONG = (
    "Перечисление платежей населения за отопление и горячее водоснабжение по договору № 15/ТС от 01.02.2025 за октябрь 2026 г. "
)
PURPOSE = f"{LONG}по реестру 12 от 24.11.2026 (лицевых счетов 1843). В том числе НДС 22 % 779,28"
BATCH = batch_of(transfer(1, purpose=PURPOSE), transfer(2, 5, budget=BUDGET, code="18801050123456789017"))
SETTINGS = AlfaLinkSettings(url="http://127.0.0.1:1", user="u", password="secret", poll_ms=1_000)
KEY = "register-12"


def written(batch: TransferBatch = BATCH, key: str = KEY) -> etree._Element:
    return read_xml(write_pain001(batch, key=key, initiator=BANK))


def test_the_message_is_the_golden_one() -> None:
    pretty = etree.tostring(written(), pretty_print=True, encoding="unicode")
    assert pretty == GOLDEN.read_text("utf-8")
    assert write_pain001(BATCH, key=KEY, initiator=BANK) == write_pain001(BATCH, key=KEY, initiator=BANK)


def test_constants_totals_and_identifiers_are_those_of_the_bank() -> None:
    root = written()
    start = "CstmrCdtTrfInitn/PmtInf"
    assert text_at(root, f"{start}/PmtMtd", NAMESPACE) == "TRF"
    assert text_at(root, f"{start}/DbtrAgt/FinInstnId/ClrSysMmbId/ClrSysId/Cd", NAMESPACE) == "RUCBC"
    assert text_at(root, f"{start}/Dbtr/Id/OrgId/Othr/SchmeNm/Cd", NAMESPACE) == "TXID"
    assert texts(root, f"{start}/CdtTrfTxInf/PmtId/EndToEndId", NAMESPACE) == ["1", "2"]
    assert texts(root, f"{start}/CdtTrfTxInf/Amt/InstdAmt", NAMESPACE) == ["4321.50", "0.05"]
    assert text_at(root, "CstmrCdtTrfInitn/GrpHdr/CtrlSum", NAMESPACE) == "4321.55"
    ids = [text_at(root, path, NAMESPACE) for path in ("CstmrCdtTrfInitn/GrpHdr/MsgId", f"{start}/PmtInfId")]
    assert len({*ids, *texts(root, f"{start}/CdtTrfTxInf/PmtId/InstrId", NAMESPACE)}) == 4


def test_the_budget_block_stands_with_budget_orders_only() -> None:
    plain, budget = written().iterfind(f".//{{{NAMESPACE}}}CdtTrfTxInf")
    assert plain.find(f"{{{NAMESPACE}}}Tax") is None
    found = {etree.QName(one).localname: one.text for one in budget.iterfind(f"{{{NAMESPACE}}}Tax//")}
    assert (found["Ctgy"], found["AdmstnZn"], found["DbtrSts"], found["CertId"]) == (
        "18201061201010000510",
        "45382000",
        "01",
        "0",
    )


@given(st.text(st.sampled_from("абв 1.,№"), min_size=1, max_size=210).map(str.strip).filter(bool))
def test_a_purpose_joins_without_a_space_to_what_it_was(purpose: str) -> None:
    root = written(batch_of(transfer(1, purpose=purpose)))
    parts = [one.text or "" for one in root.iterfind(f".//{{{NAMESPACE}}}Ustrd")]
    assert (
        "".join(parts) == purpose
        and all(1 <= len(part) <= 140 for part in parts)
        and len(parts) == (2 if len(purpose) > 140 else 1)
    )
    # A reader that takes spaces off the ends still joins the same words, unless seventy spaces stand in a row.
    assert "".join(part.strip() for part in parts) == purpose or " " * 70 in purpose or len(parts) == 1


def test_a_long_name_goes_on_in_the_contact() -> None:
    name = "я" * 139 + "х" * 21
    root = written(batch_of(transfer(1, payee=msgspec.structs.replace(HEAT, name=name))))
    payee = root.find(f".//{{{NAMESPACE}}}Cdtr")
    assert text_at(payee, "Nm", NAMESPACE) == name[:140] and text_at(payee, "CtctDtls/Nm", NAMESPACE) == name[140:]


@pytest.mark.parametrize("key", ["transfer-1", "a" * 35, "a" * 36, "ключ", "a b", "", "/" * 3])
def test_identifiers_fit_the_standard_and_stay_the_same(key: str) -> None:
    made = identifier(key)
    assert made == identifier(key) and 1 <= len(made) <= 35 and made.isascii() and made[0].isalnum()
    assert (made == key) == (key in ("transfer-1", "a" * 35))


def status_report(*orders: str, group: str = "<OrgnlMsgId>register-12</OrgnlMsgId>", version: str = "06") -> bytes:
    inner = "".join(f"<TxInfAndSts>{order}</TxInfAndSts>" for order in orders)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}">'
        f"<CstmrPmtStsRpt><OrgnlGrpInfAndSts>{group}</OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts>{inner}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
    ).encode()


def status(code: str, more: str = "", number: int = 1) -> str:
    return f"<OrgnlInstrId>transfer-{number}</OrgnlInstrId><OrgnlEndToEndId>{number}</OrgnlEndToEndId><TxSts>{code}</TxSts>{more}"


@pytest.mark.parametrize(("code", "state"), [*STATES.items(), ("ZZZZ", TransferState.ACCEPTED), ("", TransferState.ACCEPTED)])
def test_every_status_has_its_meaning(code: str, state: TransferState) -> None:
    first, second = read_pain002(status_report(status(code)), BATCH, message=KEY)
    assert (first.key, first.state) == ("transfer-1", state)
    assert (second.key, second.state) == ("transfer-2", TransferState.ACCEPTED)
    assert first.reason == ("ZZZZ" if code == "ZZZZ" else "")


def test_reason_number_and_day_come_with_the_status() -> None:
    why = "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>Счёт закрыт</AddtlInf></StsRsnInf>"
    done = "<AccptncDtTm>2026-11-24T12:00:00</AccptncDtTm><AcctSvcrRef>100001</AcctSvcrRef>"
    first, second = read_pain002(status_report(status("RJCT", why), status("ACSC", done, 2), version="10"), BATCH, message=KEY)
    assert first.reason == "AC04 Счёт закрыт" and (second.bank_number, second.bank_day) == ("100001", DAY)


def test_a_rejected_group_rejects_its_orders_and_no_other_group_status_decides() -> None:
    why = "<StsRsnInf><AddtlInf>Подпись</AddtlInf></StsRsnInf>"
    rejected = f"<OrgnlMsgId>{KEY}</OrgnlMsgId><GrpSts>RJCT</GrpSts>{why}"
    found = read_pain002(status_report(status("ACSC", number=2), group=rejected), BATCH, message=KEY)
    assert [(one.state, one.reason) for one in found] == [(TransferState.REJECTED, "Подпись"), (TransferState.EXECUTED, "")]
    executed = f"<OrgnlMsgId>{KEY}</OrgnlMsgId><GrpSts>ACSC</GrpSts>"
    assert {one.state for one in read_pain002(status_report(group=executed), BATCH, message=KEY)} == {TransferState.ACCEPTED}


DOCTYPE = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
UNBELIEVED = [
    (status_report(group="<OrgnlMsgId>other</OrgnlMsgId>"), "another message"),
    (status_report(group=""), "another message"),
    (status_report(status("ACSC", number=3)), "not ours"),
    (status_report(status("ACSC"), status("RJCT")), "second one"),
    (status_report(status("ACSC").replace("<OrgnlEndToEndId>1", "<OrgnlEndToEndId>7")), "another number"),
    (status_report(status("ACSC", "<AccptncDtTm>yesterday</AccptncDtTm>")), "not a moment"),
    (status_report(status("ACSC", "<TxSts>RJCT</TxSts>")), "stands 2 times"),
    (status_report().replace(b"pain.002", b"pain.003"), "not a pain.002"),
    (b"<html/>", "not a pain.002"),
    (b"", "not XML"),
    (b"<a>", "not XML"),
    (status_report().replace(b"?><Doc", b"?>" + DOCTYPE + b"<Doc"), "document type"),
]


@pytest.mark.parametrize(("body", "reason"), UNBELIEVED)
def test_a_report_that_does_not_fit_is_not_believed(body: bytes, reason: str) -> None:
    with pytest.raises(XmlError, match=reason):
        read_pain002(body, BATCH, message=KEY)


def test_entities_are_neither_fetched_nor_blown_up() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><x>&b;&b;</x>'
    for body in (bomb, DOCTYPE + b"<x>&e;</x>", b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>'):
        with pytest.raises(XmlError):
            read_xml(body)


SENT: list[tuple[HttpAnswer | Exception, type]] = [
    (HttpAnswer(status=200), Accepted),
    (HttpAnswer(status=400), Refused),
    (HttpAnswer(status=401), Closed),
    (HttpAnswer(status=406, body="Подпись".encode()), Closed),
    (HttpAnswer(status=408), NotTaken),
    (HttpAnswer(status=429), NotTaken),
    (HttpAnswer(status=500), Unknown),
    (HttpAnswer(status=502), Unknown),
    (HttpAnswer(status=503, headers=(("retry-after", "1"),)), Unknown),
    (HttpAnswer(status=504), Unknown),
    (ExchangeFailed("timed out", sent=True), Unknown),
    (ExchangeFailed("refused", sent=False), NotTaken),
]


@pytest.mark.parametrize(("told", "kind"), SENT)
async def test_what_an_answer_to_a_message_means(told: HttpAnswer | Exception, kind: type) -> None:
    answer = await AlfaLink(SETTINGS, Told(told), sign).send(outgoing(BATCH))
    assert type(answer) is kind
    if isinstance(answer, Accepted):
        assert answer.reference == message_id(KEY) and report_of(answer).signer


ASKED: list[tuple[HttpAnswer | Exception, str, bool, type]] = [
    (HttpAnswer(status=200, body=status_report(status("ACSC"), status("RJCT", number=2))), "", False, Done),
    (HttpAnswer(status=200, body=status_report(status("ACSC"))), "", False, Accepted),
    (HttpAnswer(status=200, body=b"<html>"), "", False, Unknown),
    (HttpAnswer(status=204), "", False, Unknown),
    (HttpAnswer(status=404), "", False, Unknown),
    (HttpAnswer(status=404), "", True, NotTaken),
    (HttpAnswer(status=404), "register-12", True, Unknown),
    (HttpAnswer(status=406), "", False, Closed),
    (HttpAnswer(status=503), "", False, Unknown),
    (ExchangeFailed("refused", sent=False), "", False, Unknown),
]


@pytest.mark.parametrize(("told", "reference", "proves", "kind"), ASKED)
async def test_what_a_report_means(told: HttpAnswer | Exception, reference: str, proves: bool, kind: type) -> None:
    settings = msgspec.structs.replace(SETTINGS, absence_proves=proves)
    exchange = Told(told)
    assert type(await AlfaLink(settings, exchange, sign).ask(outgoing(BATCH, reference=reference))) is kind
    assert exchange.requests[0].url == f"http://127.0.0.1:1/API/v1/ISO20022/Payments/{KEY}"


async def test_two_payers_and_an_unsigned_message_are_not_sent() -> None:
    async def broken(content: bytes) -> Signed:
        raise SigningFailed("no token")

    told = Told()
    other = transfer(2, payer=msgspec.structs.replace(BANK, name="Другой"))
    assert isinstance(await AlfaLink(SETTINGS, told, sign).send(outgoing(batch_of(transfer(1), other))), Refused)
    assert isinstance(await AlfaLink(SETTINGS, told, broken).send(outgoing(BATCH)), NotTaken)
    assert not told.requests and "secret" not in repr(SETTINGS)


async def test_the_sandbox_verifies_the_signature_inside_and_pays_the_orders() -> None:
    stage = Stage()
    stage.bank.credit(CREDIT, stage.clock())
    answer = await stage.deliver(AlfaLink(SETTINGS, stage.exchange, sign), outgoing(BATCH))
    assert isinstance(answer, Done) and stage.bank.books.effects == {"transfer-1": 1, "transfer-2": 1}
    assert [posting.purpose for posting in stage.bank.books.postings[BANK.account][1:]] == [
        one.purpose for one in BATCH.transfers
    ]


async def test_a_message_changed_on_the_way_is_refused() -> None:
    async def signs_other_content(content: bytes) -> Signed:
        return await sign(content.replace(b"4321.50", b"4321.51"))

    answer = await AlfaLink(SETTINGS, Stage().exchange, signs_other_content).send(outgoing(BATCH))
    assert isinstance(answer, Closed) and "of other content" in answer.reason
