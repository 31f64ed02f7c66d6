"""The sandbox goes on where it ended: what its fakes were told is told again, and what a kill cut short is dropped."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from connectors.sandbox.bank import CREDITS, FakeBank
from connectors.sandbox.bank_orders import BankOptions, Credit
from connectors.sandbox.tbank import TBankSandbox, TBankSandboxOptions
from kopeck.sandbox_memory import Memory, Remembering, RememberingCalls
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.transfer import BankParty

ACCOUNT = "40911810101850000000"
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PAYER = BankParty(name="Банк", inn="", kpp="", account="30232810000000000001", bic="")


def bank() -> FakeBank:
    return FakeBank(BankOptions(accounts=(ACCOUNT,)))


def credit(key: str, amount: int) -> HttpRequest:
    content = Credit(id=key, account=ACCOUNT, amount_kopecks=amount, payer=PAYER, purpose="Покрытие")
    return HttpRequest(method="POST", url=f"http://bank{CREDITS}", body=msgspec.json.encode(content))


@contextmanager
def remembering(path: Path, fake: FakeBank) -> Iterator[tuple[Remembering, int]]:
    """A bank that was told again what stands in the file, and how much that was."""
    memory = Memory(path)
    heard = memory.recall({"bank": fake})
    try:
        yield Remembering(fake, lambda request, now: memory.remember("bank", request, now)), heard
    finally:
        memory.close()


def test_a_new_process_knows_what_the_last_one_was_told(tmp_path: Path) -> None:
    path = tmp_path / "1.memory"
    first, second = bank(), bank()
    with remembering(path, first) as (door, heard):
        assert heard == 0
        for place, amount in enumerate((100, 250)):
            assert door.handle(credit(f"c{place}", amount), NOW + timedelta(seconds=place)).status == 204
        door.handle(HttpRequest(method="GET", url="http://bank/statement"), NOW)
    with remembering(path, second) as (door, heard):
        assert heard == 2, "what only reads is not kept"
        assert second.books.balances[ACCOUNT] == first.books.balances[ACCOUNT] == 350
        assert door.handle(credit("c1", 250), NOW).status == 204
        assert second.books.balances[ACCOUNT] == 350, "a credit told before the restart is the same credit after it"


def test_a_record_that_a_kill_cut_short_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "1.memory"
    with remembering(path, bank()) as (door, _):
        door.handle(credit("whole", 100), NOW)
        whole = path.stat().st_size
        door.handle(credit("cut", 900), NOW)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3)
    later, last = bank(), bank()
    with remembering(path, later) as (door, heard):
        assert heard == 1 and later.books.balances[ACCOUNT] == 100
        assert path.stat().st_size == whole
        door.handle(credit("next", 5), NOW)
    with remembering(path, last):
        assert last.books.balances[ACCOUNT] == 105


def terminal() -> TBankSandbox:
    return TBankSandbox(TBankSandboxOptions(notification_url="http://house/tbank/demo", repeats_s=(60,)))


def pay(order: str) -> HttpRequest:
    return HttpRequest(method="POST", url="http://bank/sandbox/pay", body=f'{{"OrderId": "{order}", "Amount": 100}}'.encode())


def test_a_callback_that_was_taken_is_not_sent_again_after_a_restart(tmp_path: Path) -> None:
    path, later = tmp_path / "1.money", NOW + timedelta(seconds=61)
    first = terminal()
    memory = Memory(path)
    memory.recall({"tbank": first})
    door = Remembering(first, lambda request, now: memory.remember("tbank", request, now))
    calls = RememberingCalls(first, "tbank", memory)
    for order in ("taken", "refused"):
        assert door.handle(pay(order), NOW).status == 200
        for callback in calls.callbacks_due(NOW):
            answer = HttpAnswer(status=200, body=b"OK") if order == "taken" else None
            calls.callback_answered(callback.number, answer, NOW)
    memory.close()
    second = terminal()
    memory = Memory(path)
    assert memory.recall({"tbank": second}) == 6, "two payments, each told of by two callbacks"
    memory.close()
    assert second.payments == first.payments
    assert not second.callbacks_due(NOW)
    assert [callback.number for callback in second.callbacks_due(later)] == [
        callback.number for callback in first.callbacks_due(later)
    ]
    assert second.callbacks_waiting == 2
