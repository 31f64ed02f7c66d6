"""The formats that come with the house: TOML files beside this one (docs/registers.md)."""

from functools import cache
from pathlib import Path

from connectors.registers.describing import DescriptionError, parse_description
from connectors.registers.description import RegisterFormat

FORMATS = Path(__file__).resolve().with_name("formats")


@cache
def shipped_formats() -> dict[str, RegisterFormat]:
    """Every shipped format by its name, which is its file's."""
    return {path.stem: read_description(path) for path in sorted(FORMATS.glob("*.toml"))}


def read_description(path: Path) -> RegisterFormat:
    """Read a description of one's own; raises DescriptionError, naming the file."""
    try:
        return parse_description(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DescriptionError(f"{path.name}: cannot be read ({type(error).__name__})") from error
    except DescriptionError as error:
        raise DescriptionError(f"{path.name}: {error}") from error
