"""Certificates as good or as bad as a test wants them, signed by an authority of its own or by themselves."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AGE = dt.timedelta(days=100)
"""All of them began so long ago."""


class Authority:
    """Signs certificates; whoever trusts `file` trusts them."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"authority {file.stem}")
        certificate = _signed(
            self._name, self._name, self._key, self._key, lasts=dt.timedelta(days=1), is_authority=True
        )
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def write(self, path: Path, *, hosts: Sequence[str] = ("localhost",), lasts: dt.timedelta) -> None:
        """Write a certificate for `hosts` with its key in the same file; one that lasts less than nothing is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        _write(path, key, _signed(_name("server"), self._name, key, self._key, hosts=hosts, lasts=lasts))


def write_self_signed(path: Path) -> None:
    """A certificate for localhost that nobody but itself vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("server")
    _write(path, key, _signed(name, name, key, key, hosts=("localhost",), lasts=dt.timedelta(days=100)))


def _write(path: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    lasts: dt.timedelta,
    hosts: Sequence[str] = (),
    is_authority: bool = False,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - AGE)
        .not_valid_after(now + lasts)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
    return builder.sign(signer, hashes.SHA256())
