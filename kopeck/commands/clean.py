"""``kopeck clean``: remove a data folder with its embedded servers and everything they hold."""

import os
from pathlib import Path

import click

from kopeck.commands.options import data_option
from kopeck.config import read_config
from kopeck.embedded.clean import clean_folder


@click.command()
@data_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(data_dir: Path | None, yes: bool) -> None:
    """Remove the data folder: its ledger, its servers, their files elsewhere."""
    folder = read_config(os.environ, data_dir=data_dir).data_dir
    if not yes:
        click.confirm(f"Remove {folder} and the ledger in it for good?", abort=True)
    removed = clean_folder(folder)
    for place in removed:
        click.echo(f"removed {place}")
    if not removed:
        click.echo(f"nothing to remove at {folder}")
