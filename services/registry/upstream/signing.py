"""The ed25519 key this registry shows itself with at registries that know Ollama servers by their keys.

The only importer of `cryptography` here.
"""

import base64
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.settings import SettingsInvalid


class SigningKey:
    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        self._public = line.split()[1].decode()

    def header(self, content: bytes) -> str:
        """The Authorization header that signs `content`: public key and signature, no scheme before them."""
        return f"{self._public}:{base64.b64encode(self._key.sign(content)).decode()}"


def load_signing_key(path: str) -> SigningKey | None:
    """Read an unencrypted OpenSSH private key; None when no path is set.

    Raises: SettingsInvalid.
    """
    if not path:
        return None
    try:
        key = serialization.load_ssh_private_key(Path(path).expanduser().read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise SettingsInvalid(f"CORRAL_REGISTRY_UPSTREAM_KEY_PATH: {path} cannot be used: {cause}") from cause
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsInvalid(f"CORRAL_REGISTRY_UPSTREAM_KEY_PATH: {path} is no ed25519 key")
    return SigningKey(key)
