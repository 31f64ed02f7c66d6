"""Signing outgoing files by an external program: the key lives outside the process (design W9; issue of transfers).

The program is an argument list from the configuration, never a shell line: it gets the content on its standard input and writes
the detached CMS signature in DER to its standard output. Tools of CryptoPro, a token or an HSM fit behind a small script.
"""

import asyncio
from asyncio.subprocess import PIPE, Process

import msgspec

from connectors.transfers.cms import SIGNATURE_BYTES_MAX, CmsError, claimed_signer
from connectors.transfers.signing import Sign, Signed, SigningFailed

COMPLAINT_BYTES_MAX = 2_000
KILLED_TIMEOUT_S = 5


class SigningCommand(msgspec.Struct, frozen=True, kw_only=True):
    """The program with its arguments, how long it may take and how much it may be given."""

    argv: tuple[str, ...]
    timeout_ms: int = 30_000
    content_bytes_max: int = 32_000_000


def command_signer(command: SigningCommand) -> Sign:
    """Return a signer that runs the command once a file; an empty argument list is a ValueError."""
    if not command.argv:
        raise ValueError("the signing command is empty")

    async def sign(content: bytes) -> Signed:
        return await _sign(command, content)

    return sign


async def _sign(command: SigningCommand, content: bytes) -> Signed:
    if len(content) > command.content_bytes_max:
        raise SigningFailed(f"the file has more than {command.content_bytes_max} bytes")
    try:
        process = await asyncio.create_subprocess_exec(*command.argv, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    except OSError as error:
        raise SigningFailed(f"{command.argv[0]} cannot be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(command.timeout_ms * 0.001):
            signature, complaint = await _converse(process, content)
            code = await process.wait()
    except TimeoutError as error:
        raise SigningFailed(f"no signature within {command.timeout_ms} ms") from error
    finally:
        await _end(process)
    if code != 0:
        raise SigningFailed(f"the command ended with {code}: {complaint}")
    try:
        signer, signed_at = claimed_signer(signature, content)
    except CmsError as error:
        raise SigningFailed(str(error)) from error
    return Signed(signature=signature, signer=signer, signed_at=signed_at)


async def _converse(process: Process, content: bytes) -> tuple[bytes, str]:
    """Feed the content and read both outputs at once, so that no full pipe stops the program."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    feeding = _feed(process.stdin, content)
    reading = _read(process.stdout, SIGNATURE_BYTES_MAX), _read(process.stderr, COMPLAINT_BYTES_MAX)
    _, signature, complaint = await asyncio.gather(feeding, *reading)
    if len(signature) > SIGNATURE_BYTES_MAX:
        raise SigningFailed(f"the signature has more than {SIGNATURE_BYTES_MAX} bytes")
    return signature, " ".join(complaint[:COMPLAINT_BYTES_MAX].decode("utf-8", "replace").split())


async def _feed(stdin: asyncio.StreamWriter, content: bytes) -> None:
    try:
        stdin.write(content)
        await stdin.drain()
        stdin.close()
        await stdin.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        # The program has ended without reading to the end; its exit code and its signature's digest tell why.
        return


async def _read(stream: asyncio.StreamReader, limit: int) -> bytes:
    """Read to the end, keeping one byte more than the limit and throwing the rest away."""
    kept = b""
    while chunk := await stream.read(65_536):
        kept = (kept + chunk)[: limit + 1]
    return kept


async def _end(process: Process) -> None:
    """Leave no program behind: one that still runs is killed and waited for."""
    if process.returncode is None:
        process.kill()
        async with asyncio.timeout(KILLED_TIMEOUT_S):
            await process.wait()
