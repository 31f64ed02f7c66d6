"""A file and its detached signature in one body: multipart/form-data (RFC 7578) with the parts ``register`` and ``signature``."""

import hashlib
import re

CONTENT_PART, SIGNATURE_PART = "register", "signature"

_BOUNDARY = re.compile(r'multipart/form-data;\s*boundary="?([0-9A-Za-z-]{1,70})"?', re.ASCII)
_NAME = re.compile(rb'content-disposition:\s*form-data;\s*name="([a-z]{1,32})"', re.IGNORECASE)


def write_parts(content: bytes, content_type: str, signature: bytes) -> tuple[str, bytes]:
    """Return the content type and the body; the boundary is a digest of both parts, so it stands in neither."""
    boundary = "kopeck-" + hashlib.sha256(len(content).to_bytes(8, "big") + content + signature).hexdigest()[:48]
    parts = ((CONTENT_PART, content_type, content), (SIGNATURE_PART, "application/pkcs7-signature", signature))
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n\r\n'.encode() + part + b"\r\n"
        for name, kind, part in parts
    )
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def read_parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """Return the parts by name; an empty dictionary when the body is not of this form or repeats a name."""
    boundary = _BOUNDARY.fullmatch(content_type.strip())
    if boundary is None:
        return {}
    mark = b"--" + boundary.group(1).encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if pieces[0] or not pieces[-1].startswith(b"--"):
        return {}
    parts: dict[str, bytes] = {}
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not blank or name is None or name.group(1).decode() in parts:
            return {}
        parts[name.group(1).decode()] = content
    return parts
