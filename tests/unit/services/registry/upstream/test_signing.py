"""The key shown to registries."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.registry.upstream.signing import load_signing_key
from shared.settings import SettingsInvalid

Key = Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def written(key: Key, path: Path, password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, encryption))
    return str(path)


def test_a_signature_is_checked_with_the_public_key_beside_it(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    key = load_signing_key(written(private, tmp_path / "id_ed25519"))
    assert key is not None
    public, signature = key.header(b"GET,https://a,b").split(":")
    known = serialization.load_ssh_public_key(b"ssh-ed25519 " + public.encode())
    assert known == private.public_key()
    private.public_key().verify(base64.b64decode(signature), b"GET,https://a,b")


def test_no_path_is_no_key() -> None:
    assert load_signing_key("") is None


def test_a_key_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    other = written(ec.generate_private_key(ec.SECP256R1()), tmp_path / "ecdsa")
    garbled = tmp_path / "garbled"
    garbled.write_text("no key")
    for path in (other, str(garbled), str(tmp_path / "absent")):
        with pytest.raises(SettingsInvalid, match="UPSTREAM_KEY_PATH"):
            load_signing_key(path)
