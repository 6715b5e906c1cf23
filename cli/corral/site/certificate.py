"""The certificate of the front door: made here, or checked before it is taken. The program openssl does both.

One made here signs itself and is no authority (CA:FALSE): clients trust exactly this server, and whoever steals its
key can make no certificates that they would trust, too. 825 days are the most that Apple's clients accept, and they
want `serverAuth`. Source: RFC 5280, 4.2.1; support.apple.com/en-us/103769.
"""

import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from corral.errors import CliError

LIFE_DAYS: Final = 825
MAKER: Final = "Corral (self-signed)"
COMMON_NAME_CHARS_MAX: Final = 64  # X.520; clients read the alternative names
OPENSSL_S: Final = 60.0
ALWAYS_NAMED: Final = ("DNS:localhost", "IP:127.0.0.1")


@dataclass(frozen=True)
class Pair:
    """A certificate, with those between it and an authority, and its key; both PEM."""

    certificate: str
    key: str


def self_signed(names: Sequence[str]) -> Pair:
    """Raises: CliError."""
    with tempfile.TemporaryDirectory() as folder:
        key, request = Path(folder, "key.pem"), Path(folder, "request.cnf")
        request.write_text(request_for(names), encoding="utf-8")
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key))
        life = ("-sha256", "-days", str(LIFE_DAYS))
        certificate = _openssl("req", "-new", "-x509", "-config", str(request), "-key", str(key), *life)
        return Pair(certificate, key.read_text(encoding="utf-8"))


def request_for(names: Sequence[str]) -> str:
    """What openssl is asked to put into the certificate."""
    alternatives = dict.fromkeys([*(f"DNS:{name}" for name in names), *ALWAYS_NAMED])
    common_name = names[0] if len(names[0]) <= COMMON_NAME_CHARS_MAX else MAKER
    return "\n".join(
        (
            "[req]",
            "prompt = no",
            "distinguished_name = subject",
            "x509_extensions = extensions",
            "[subject]",
            f"O = {MAKER}",
            f"CN = {common_name}",
            "[extensions]",
            "basicConstraints = critical, CA:FALSE",
            "keyUsage = critical, digitalSignature",
            "extendedKeyUsage = serverAuth",
            "subjectKeyIdentifier = hash",
            f"subjectAltName = {', '.join(alternatives)}",
            "",
        )
    )


def was_made_here(certificate: Path) -> bool:
    """Raises: CliError when it cannot be read."""
    issuer = _openssl("x509", "-in", str(certificate), "-noout", "-issuer", "-nameopt", "multiline")
    return MAKER in issuer


def given(certificate: Path, key: Path, names: Sequence[str]) -> Pair:
    """The pair in these files, once it can serve these names.

    Raises: CliError that says why it cannot.
    """
    try:
        pair = Pair(certificate.read_text(encoding="utf-8"), key.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as cause:
        raise CliError(f"cannot read the certificate and its key as PEM: {cause}") from cause
    _check_key(certificate, key)
    if not _holds("x509", "-in", str(certificate), "-noout", "-checkend", "0"):
        raise CliError(f"{certificate} has expired")
    for name in names:
        # What -checkhost finds is only in its text; its exit code changed between versions of openssl.
        if "does match" not in _openssl("x509", "-in", str(certificate), "-noout", "-checkhost", name):
            raise CliError(f"{certificate} is not for {name}")
    return pair


def _check_key(certificate: Path, key: Path) -> None:
    """Raises: CliError for a key that is another's, or behind a password, which nobody gives nginx when it starts."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError) as cause:
        raise CliError(f"{key} is not the key of {certificate}, or is behind a password: {cause}") from cause


def _openssl(*arguments: str) -> str:
    """What it prints. Raises: CliError."""
    done = _run(arguments)
    if done.returncode != 0:
        raise CliError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def _holds(*arguments: str) -> bool:
    return _run(arguments).returncode == 0


def _run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    program = shutil.which("openssl")
    if program is None:
        raise CliError("the certificate needs the program openssl: install it")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=OPENSSL_S, check=False)
