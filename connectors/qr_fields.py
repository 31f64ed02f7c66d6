"""Fields of the payment QR (ГОСТ Р 56042-2014, tables 1–3): spelling, length in characters, and what separates them."""

import re

REQUIRED = ("Name", "PersonalAcc", "BankName", "BIC", "CorrespAcc")
SEPARATORS = "|#;:^_~!$%&*+?@`{}<>"
"""Tried in this order when a code is made; any other printable ASCII sign is read."""

LENGTHS = {
    "Name": 160,
    "PersonalAcc": 20,
    "BankName": 45,
    "BIC": 9,
    "CorrespAcc": 20,
    "Sum": 18,
    "Purpose": 210,
    "PayeeINN": 12,
    "PayerINN": 12,
    "DrawerStatus": 2,
    "KPP": 9,
    "CBC": 20,
    "OKTMO": 11,
    "PaytReason": 2,
    "TaxPeriod": 10,
    "DocNo": 15,
    "DocDate": 10,
    "TaxPaytKind": 2,
    "AddAmount": 18,
    "TechCode": 2,
    "UIN": 25,
}
_WITHOUT_LENGTH = """LastName FirstName MiddleName PayerAddress PersonalAccount DocIdx PensAcc Contract PersAcc Flat Phone
PayerIdType PayerIdNum ChildFio BirthDate PaymTerm PaymPeriod Category ServiceName CounterId CounterVal QuittId QuittDate InstNum
ClassNum SpecFio RuleId ExecId RegType"""
CANONICAL = {key.lower(): key for key in (*LENGTHS, *_WITHOUT_LENGTH.split())}
"""Small letters -> the standard's spelling: codes of real bills write keys in any case."""

MONTH_TEXTS = (
    re.compile(r"(?P<month>[0-9]{2})\.?(?P<year>[0-9]{4})", re.ASCII),
    re.compile(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})", re.ASCII),
)
