"""Reading public keys and signatures as OpenSSH and Ollama write them."""

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from fakes.ollama_keys import OllamaKey
from services.gateway.ssh_keys import parse_public_key, parse_signed
from shared.errors import ParameterInvalid


def rsa_line() -> str:
    public = generate_private_key(65537, 2048).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def test_the_comment_and_the_newline_do_not_matter() -> None:
    key = OllamaKey()
    bare = " ".join(key.public_line.split(" ")[:2])
    assert parse_public_key(key.public_line + "\n") == parse_public_key(bare)
    assert parse_public_key(bare).blob == key.blob


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 ",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 ????",
        "ssh-ed25519 " + base64.b64encode(bytes(51)).decode(),
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ",
        "no-pty ssh-ed25519 AAAA",
        "ssh-ed25519 AAAA\nssh-ed25519 AAAA",
        "ssh-ed25519 " + "A" * 2000,
        "ssh-ed25519 ÄÖÜ",
    ],
)
def test_what_is_no_ed25519_key_is_refused(line: str) -> None:
    with pytest.raises(ParameterInvalid, match="ed25519"):
        parse_public_key(line)


def test_other_kinds_of_keys_are_refused() -> None:
    with pytest.raises(ParameterInvalid, match="one line 'ssh-ed25519"):
        parse_public_key(rsa_line())


def test_a_private_key_sent_by_mistake_is_not_repeated() -> None:
    secret = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    with pytest.raises(ParameterInvalid) as refused:
        parse_public_key(secret.decode())
    assert "private key" in refused.value.message
    assert secret.decode().splitlines()[1] not in refused.value.message


def test_the_fingerprint_is_the_one_that_ssh_keygen_prints(tmp_path: Path) -> None:
    key, file = OllamaKey(), tmp_path / "id_ed25519.pub"
    file.write_text(key.public_line + "\n")
    try:
        printed = subprocess.run(["ssh-keygen", "-lf", file], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not installed")
    assert printed.split()[1] == parse_public_key(key.public_line).fingerprint


def test_a_signature_is_the_keys_over_the_very_text() -> None:
    key, other = OllamaKey(), OllamaKey()
    signed = parse_signed(key.authorization(b"GET,/"))
    assert signed is not None
    assert signed.key == parse_public_key(key.public_line)
    assert signed.key.has_signed(b"GET,/", signed.signature)
    assert not signed.key.has_signed(b"GET,/x", signed.signature)
    assert not signed.key.has_signed(b"GET,/", other.signature(b"GET,/"))


@pytest.mark.parametrize("header", ["", "Bearer abc", "abc:def", ":" * 157, "A" * 68 + ":" + "A" * 88])
def test_other_authorization_headers_are_no_signatures(header: str) -> None:
    assert parse_signed(header) is None
