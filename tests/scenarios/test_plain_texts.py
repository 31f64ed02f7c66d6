"""Every scenario of tests/scenarios/texts/*.txt on a real ledger."""

from pathlib import Path

import pytest

from tests.conftest import LedgerDatabase
from tests.scenarios.plain_house import plain_house
from tests.scenarios.plain_text import Scenario, ScenarioFault, read_scenarios

FOLDER = Path(__file__).parent / "texts"
SCENARIOS = [scenario for path in sorted(FOLDER.glob("*.txt")) for scenario in read_scenarios(path)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: f"{one.file.removesuffix('.txt')}: {one.title}")
async def test_it_happens_as_written(scenario: Scenario, ledger_database: LedgerDatabase, redis_url: str, tmp_path: Path) -> None:
    async with plain_house(ledger_database, tmp_path) as house:
        try:
            for step in scenario.steps:
                await house.do(step)
            await house.verify()
        except ScenarioFault as fault:
            pytest.fail(f"{scenario.file}:{fault}", pytrace=False)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("pay terminals 1 2 3\n", "before the first title"),
        ("== one\n== one\n", "two of one title"),
        ("== one\n  row\n", "without a step"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text(text)
    with pytest.raises(ScenarioFault, match=fault):
        read_scenarios(path)
