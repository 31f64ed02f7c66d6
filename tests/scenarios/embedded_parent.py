"""A program that starts the servers on a folder, commits a row and waits to be killed; run by test_embedded.py."""

import asyncio
import json
import os
import sys
from pathlib import Path

import asyncpg

from kopeck.config import Config
from kopeck.embedded.leftover import read_pid
from kopeck.embedded.servers import Servers, start_servers
from ledger.statements import load_statements

SQL = load_statements("tests/statements/embedded.sql")


async def write_row(dsn: str, note: str) -> list[int]:
    """Add a row and return the ids of all."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(SQL["make_table"])
        rows = await connection.fetch(SQL["read_rows"])
        await connection.execute(SQL["write_row"], len(rows) + 1, note)
        return [row["id"] for row in await connection.fetch(SQL["read_rows"])]
    finally:
        await connection.close()


def report(servers: Servers, ids: list[int]) -> str:
    """What the test needs to know of this program, as one line of JSON."""
    assert servers.postgres is not None and servers.valkey is not None
    pids = [
        read_pid(servers.postgres.place.cluster / "postmaster.pid"),
        read_pid(servers.valkey.folder / "valkey.pid"),
    ]
    return json.dumps({"pid": os.getpid(), "uid": os.geteuid(), "servers": pids, "ids": ids})


def main() -> None:
    """Start, write, report, wait for the end of the input, stop."""
    folder = Path(sys.argv[1])
    with start_servers(folder, Config(data_dir=folder)) as servers:
        ids = asyncio.run(write_row(servers.connections.owner_dsn, "written by a parent"))
        print(report(servers, ids), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
