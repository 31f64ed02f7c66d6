"""The command line and the configuration: what a person sees when something is missing or misspelt."""

import importlib.util
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kopeck import cli
from kopeck.config import Config, ConfigError, read_config


def test_commands_are_listed_and_a_missing_one_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "absent", "kopeck.commands.absent")
    shown = CliRunner().invoke(cli.main, ["--help"])
    assert shown.exit_code == 0
    assert "migrate" in shown.output and "clean" in shown.output and "absent" not in shown.output
    asked = CliRunner().invoke(cli.main, ["absent"])
    assert asked.exit_code == 2 and "No such command" in asked.output


def test_a_command_that_cannot_be_loaded_is_listed_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("torn_command.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(cli.COMMANDS, "torn", "torn_command")
    shown = CliRunner().invoke(cli.main, ["--help"])
    assert shown.exit_code == 0 and "torn cannot be loaded: No module named 'no_such_library'" in " ".join(shown.output.split())


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_installed_module_exports_its_command(name: str) -> None:
    if importlib.util.find_spec(cli.COMMANDS[name]) is None:
        pytest.skip(f"{name} is planned and not here yet")
    command = cli.main.get_command(click.Context(cli.main), name)
    assert command is not None and command.name == name


def test_an_expected_error_is_one_message(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    shown = CliRunner().invoke(cli.main, ["clean", "--yes", "--data", str(precious)])
    assert shown.exit_code == 1
    assert shown.output.startswith("Error: ") and "not a data folder" in shown.output
    assert precious.exists()


def test_cleaning_nothing_says_so(tmp_path: Path) -> None:
    shown = CliRunner().invoke(cli.main, ["clean", "--yes", "--data", str(tmp_path / "none")])
    assert (shown.exit_code, "nothing to remove" in shown.output) == (0, True)


def test_migrate_starts_the_servers_and_stops_them(tmp_path: Path) -> None:
    folder = str(tmp_path / "town")
    first = CliRunner().invoke(cli.main, ["migrate", "--data", folder])
    assert first.exit_code == 0, first.output
    assert first.output.startswith("applied: 0001")
    assert CliRunner().invoke(cli.main, ["migrate", "--data", folder]).output == "nothing to apply\n"
    assert "penalty_cap" in CliRunner().invoke(cli.main, ["law", "list", "--data", folder]).output
    assert CliRunner().invoke(cli.main, ["clean", "--data", folder], input="y\n").exit_code == 0
    assert not Path(folder).exists()


def test_the_environment_is_read_and_options_win(tmp_path: Path) -> None:
    environ = {"KOPECK_PORT": "9000", "KOPECK_GATEWAYS": "2", "KOPECK_REDIS_URL": "", "OTHER": "x"}
    config = read_config(environ, data_dir=tmp_path, port=9100, gateways=None)
    assert config == Config(data_dir=tmp_path, port=9100, gateways=2)
    assert read_config({}).data_dir == Path(".data").absolute()


def test_no_test_reads_what_a_run_left_in_the_project() -> None:
    assert read_config(os.environ).data_dir != read_config({}).data_dir


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"KOPECK_PROT": "1"}, "KOPECK_PROT: unknown variable; known are KOPECK_DATA"),
        ({"KOPECK_PORT": "many"}, "Expected `int`, got `str`"),
        ({"KOPECK_PORT": "70000"}, "KOPECK_PORT: must be 0"),
        ({"KOPECK_GATEWAYS": "0"}, "KOPECK_GATEWAYS: must be 1"),
        ({"KOPECK_BOOKS": "100000"}, "KOPECK_BOOKS: must be 1"),
        ({"KOPECK_LOG_LEVEL": "loud"}, "KOPECK_LOG_LEVEL: must be one of"),
        ({"KOPECK_POSTGRES_DSN": "mysql://x"}, "KOPECK_POSTGRES_DSN: must start with postgresql"),
        ({"KOPECK_POSTGRES_READER_DSN": "postgresql://x"}, "KOPECK_POSTGRES_DSN: must be set when"),
        ({"KOPECK_REDIS_URL": "http://x"}, "KOPECK_REDIS_URL: must start with redis"),
    ],
)
def test_what_cannot_be_used_is_named(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(environ)


def test_secrets_do_not_show_in_a_configuration() -> None:
    config = Config(postgres_dsn="postgresql://owner:hidden@db/kopeck", redis_url="redis://:hidden@cache")
    assert "hidden" not in repr(config) and "hidden" not in f"{config}"
