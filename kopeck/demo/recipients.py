"""Who is paid in the demo town: invented organisations with right check digits."""

import msgspec

from kopeck.demo.requisites import account_with_key, inn_with_check

BANK_BIC = "048000601"
"""АО «Верхнереченский банк», which holds the transit account and most of the recipients' accounts."""
OTHER_BANK_BIC = "048000717"
TREASURY_BIC = "018000101"
BANKS = (
    (BANK_BIC, "АО «Верхнереченский банк», г. Верхнереченск", account_with_key("30101810000000000601", BANK_BIC)),
    (OTHER_BANK_BIC, "ПАО «Заречный банк», г. Верхнереченск", account_with_key("30101810000000000717", OTHER_BANK_BIC)),
    (TREASURY_BIC, "УФК по Верхнереченской области", account_with_key("40102810000000000001", TREASURY_BIC)),
)
"""БИК, name, correspondent account: what payment documents print of a recipient's bank."""
TRANSIT_ACCOUNT = account_with_key("40911810000000000001", BANK_BIC)

BANK_INN = inn_with_check("800000091")
OPERATOR = "raschetny-centr"
"""Who runs Kopeck in the town and earns the commission."""

MANAGERS = ("uk-centralnaya", "uk-zarechye", "tszh-lipovaya-alleya")
"""УО, УО and ТСЖ: who provides (исполнитель) in the town's houses."""
MAINTENANCE_M2 = {"uk-centralnaya": 2_840, "uk-zarechye": 3_115, "tszh-lipovaya-alleya": 3_520}

PAID_TO = {
    "heating": "teploset",
    "hot_water": "teploset",
    "cold_water": "vodokanal",
    "sewage": "vodokanal",
    "electricity": "energosbyt",
    "gas": "gorgaz",
    "waste": "ecoregion",
    "lift": "liftservis",
    "intercom": "domofon-servis",
    "antenna": "teleantenna",
    "capital_repair": "fond-kaprem",
    "rent": "adm-nayom",
    "insurance": "sk-ochag",
}
"""Service -> recipient; what is not here is paid to the house's manager."""


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """One organisation; ``kbk`` and ``oktmo`` are set for a budget payee only."""

    code: str
    kind: str
    name: str
    inn: str
    kpp: str
    bank_account: str
    bic: str
    kbk: str = ""
    oktmo: str = ""


_ORGANISATIONS = (
    ("uk-centralnaya", "management", "ООО «УК «Центральная»", "40702810", BANK_BIC),
    ("uk-zarechye", "management", "ООО «УК «Заречье»", "40702810", OTHER_BANK_BIC),
    ("tszh-lipovaya-alleya", "management", "ТСЖ «Липовая аллея»", "40703810", BANK_BIC),
    ("teploset", "supplier", "АО «Верхнереченская теплосеть»", "40702810", BANK_BIC),
    ("vodokanal", "supplier", "МУП «Водоканал»", "40702810", BANK_BIC),
    ("energosbyt", "supplier", "АО «Энергосбыт Заречья»", "40702810", OTHER_BANK_BIC),
    ("gorgaz", "supplier", "АО «Верхнереченскгоргаз»", "40702810", OTHER_BANK_BIC),
    ("ecoregion", "supplier", "ООО «Экорегион» (региональный оператор по ТКО)", "40702810", BANK_BIC),
    ("liftservis", "service", "ООО «Лифтсервис»", "40702810", BANK_BIC),
    ("domofon-servis", "service", "ООО «Домофон-Сервис»", "40702810", OTHER_BANK_BIC),
    ("teleantenna", "service", "ООО «Телеантенна»", "40702810", BANK_BIC),
    ("fond-kaprem", "fund", "Фонд капитального ремонта многоквартирных домов", "40603810", OTHER_BANK_BIC),
    ("sk-ochag", "service", "АО «Страховая компания «Очаг»", "40701810", OTHER_BANK_BIC),
    (OPERATOR, "service", "ООО «Расчётный центр Верхнереченска»", "40702810", BANK_BIC),
)


def list_recipients() -> tuple[Recipient, ...]:
    """All recipients in a fixed order; the last is the budget payee."""
    organisations = [
        Recipient(
            code=code,
            kind=kind,
            name=name,
            inn=inn_with_check(f"8000{number:05d}"),
            kpp="800001001",
            bank_account=account_with_key(f"{prefix}0{number:011d}", bic),
            bic=bic,
        )
        for number, (code, kind, name, prefix, bic) in enumerate(_ORGANISATIONS, start=1)
    ]
    budget = Recipient(
        code="adm-nayom",
        kind="budget",
        name="УФК (Администрация г. Верхнереченска, плата за наём)",
        inn=inn_with_check("800000090"),
        kpp="800001001",
        bank_account="03100643000000018000",
        bic=TREASURY_BIC,
        kbk="90111109044040000120",
        oktmo="80701000",
    )
    return (*organisations, budget)
