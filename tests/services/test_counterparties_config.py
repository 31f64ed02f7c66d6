"""The counterparty configuration: secrets from three places, and every fault named."""

from pathlib import Path

import pytest

from kopeck.counterparties import CounterpartyConfigError, read_counterparties

GOOD = """
sign_command = ["signer", "--key", "k"]
webhooks = { key_env = "SEAL", old_key = "1111111111111111111111111111111111111111111111111111111111111111" }

[[counterparty]]
name = "atol:uk"
kind = "atol"
at_once = 3
base_url = "https://example.test"
login = "shop"
password_file = "secret.txt"

[[counterparty]]
name = "bank"
kind = "distribution_register"
token_env = "BANK_TOKEN"
statement_of = ["40911810101850000000"]
server = { host = "mail.test", password_file = "secret.txt" }
"""


def _write(folder: Path, text: str) -> Path:
    folder.joinpath("secret.txt").write_text("from a file\n", "utf-8")
    path = folder / "counterparties.toml"
    path.write_text(text, "utf-8")
    return path


def test_secrets_are_filled_in_and_hidden(tmp_path: Path) -> None:
    file = read_counterparties(_write(tmp_path, GOOD), {"BANK_TOKEN": "from the environment", "SEAL": "a" * 64})
    till, bank = file.counterparty
    assert (till.name, till.kind, till.at_once) == ("atol:uk", "atol", 3)
    assert till.table == {"base_url": "https://example.test", "login": "shop", "password": "from a file"}
    assert bank.table == {"token": "from the environment", "server": {"host": "mail.test", "password": "from a file"}}
    assert (till.statement_of, bank.statement_of) == ((), ("40911810101850000000",))
    assert file.sign_command == ("signer", "--key", "k")
    assert file.webhook_keys == ("a" * 64, "1" * 64)
    assert "from a file" not in repr(file) and "a" * 64 not in repr(file)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[counterparty]]\nkind = 'atol'", "name must be"),
        ("[[counterparty]]\nname = 'a'", "a: kind is missing"),
        ("[[counterparty]]\nname = 'a'\nkind = 'atol'\nat_once = 0", "at_once must be"),
        ("[[counterparty]]\nname = 'a'\nkind = 'atol'\npassword_file = 'none.txt'", "password_file: the file cannot be read"),
        ("[[counterparty]]\nname = 'a'\nkind = 'atol'\npassword_env = 'NONE'", "password_env: the environment variable is empty"),
        ("[[counterparty]]\nname = 'a'\nkind = 'atol'\npassword = 'x'\npassword_file = 'secret.txt'", "password is given twice"),
        ("[[counterparty]]\nname = 'a'\nkind = 'x'\n[[counterparty]]\nname = 'a'\nkind = 'x'", "two have one name"),
        ("counterparties = 1", "counterparties: is no key of this file"),
        ("sign_command = 'rm -rf /'", "sign_command: must be a list of words"),
        ("[[counterparty]]\nname = 'a'\nkind = 'x'\nstatement_of = ['1']", "statement_of must be a list of accounts"),
        (
            "[[counterparty]]\nname = 'a'\nkind = 'x'\nstatement_of = ['40911810101850000000']\n"
            "[[counterparty]]\nname = 'b'\nkind = 'x'\nstatement_of = ['40911810101850000000']",
            "40911810101850000000: its statement is read from two",
        ),
        ("webhooks = { key = 'ab' }", "a key has 64 hexadecimal digits"),
        ("webhooks = { keys = 'ab' }", "webhooks: keys: is no key"),
        ("counterparty = [", "cannot be read"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(CounterpartyConfigError, match=named) as caught:
        read_counterparties(_write(tmp_path, text), {})
    assert "from a file" not in str(caught.value)
