"""The sandbox's signing program: ``python -m kopeck.sandbox_signer --key FILE`` signs its standard input, writes DER.

It stands where a token's or CryptoPro's own tool stands in production (services/signing.py), with a key in a file of the demo.
"""

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

VALID_DAYS = 3_650
KEY_NAME, CERTIFICATE_NAME = "signer-key.pem", "signer-certificate.pem"


def make_sandbox_key(folder: Path, *, subject: str, now: datetime) -> tuple[Path, Path]:
    """Make a key and its self-signed certificate in ``folder`` unless they are there; return their paths.

    The key's file holds the certificate too, so that the program needs one path, and is readable by its owner only.
    """
    key_path, certificate_path = folder / KEY_NAME, folder / CERTIFICATE_NAME
    if key_path.exists() and certificate_path.exists():
        return key_path, certificate_path
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day back: the program's clock and the bank's need not agree.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    folder.mkdir(parents=True, exist_ok=True)
    with open(os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(private + pem)
    certificate_path.write_bytes(pem)
    return key_path, certificate_path


def sign_detached(content: bytes, key_file: bytes) -> bytes:
    """Return the detached CMS signature in DER, with the signer's certificate in it."""
    key = serialization.load_pem_private_key(key_file, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the sandbox signs with a key on an elliptic curve")
    certificate = x509.load_pem_x509_certificate(key_file)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities]
    return builder.sign(serialization.Encoding.DER, options)


@click.command(help="Sign standard input with the sandbox's key; the detached CMS signature goes to standard output as DER.")
@click.option("--key", "key_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
def main(key_path: Path) -> None:
    """Sign one file."""
    sys.stdout.buffer.write(sign_detached(sys.stdin.buffer.read(), key_path.read_bytes()))


if __name__ == "__main__":
    main()
