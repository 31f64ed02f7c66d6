"""The two channels that bring the load: payment terminals, which ask, and a bank's signed feed, which reports."""

from connectors.banks.standard_webhooks import parse_secret
from loadtests.town import NAMESPACE
from loadtests.traffic import Doors

TERMINALS = "bench-terminals"
BANK = "bench-bank"
TRANSIT = "40911810300000000077"
BASIC_USER = "bench"
BASIC_PASSWORD = "bench-terminals-password"
BANK_SECRET = "bench-bank-secret-0123456789"
CHANNELS = f"""
[[transit]]
account = "{TRANSIT}"
bic = "044525225"
title = "Нагрузка"

[[space]]
name = "bench-terminals"

[[space]]
name = "bench-bank"

[[channel]]
name = "{TERMINALS}"
kind = "osmp"
manner = "asking"
legal_kind = "bank_payment_agent"
space = "bench-terminals"
transit = "{TRANSIT}"
namespace = "{NAMESPACE}"
basic_user = "{BASIC_USER}"
basic_password = "{BASIC_PASSWORD}"

[[channel]]
name = "{BANK}"
kind = "bank_feed"
manner = "reporting"
legal_kind = "bank"
space = "bench-bank"
transit = "{TRANSIT}"
namespace = "{NAMESPACE}"
secrets = ["{BANK_SECRET}"]
"""


def doors_at(host: str, port: int) -> Doors:
    """How the generator reaches the channels of a house at this address."""
    return Doors(
        host=host,
        port=port,
        terminal_path=f"/osmp/{TERMINALS}",
        basic_user=BASIC_USER,
        basic_password=BASIC_PASSWORD,
        bank_path=f"/bank/{BANK}/payments",
        bank_secret=bytes(parse_secret(BANK_SECRET)),
    )
