"""Options that several commands share."""

from pathlib import Path

import click

data_option = click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Data folder of the embedded servers; KOPECK_DATA or .data by default.",
)
