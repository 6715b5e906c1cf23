"""ed25519 keys as an Ollama installation has them: the line of its `.pub` file and what it puts into headers."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class OllamaKey:
    """A key of its own for every instance."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        public = self.private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.public_line = public.decode() + " ollama@laptop"

    @property
    def encoded(self) -> str:
        return self.public_line.split(" ")[1]

    @property
    def blob(self) -> bytes:
        return base64.b64decode(self.encoded)

    def signature(self, text: bytes) -> bytes:
        return self.private.sign(text)

    def authorization(self, text: bytes) -> str:
        """`<base64 key>:<base64 signature>`, without a scheme."""
        return f"{self.encoded}:{base64.b64encode(self.signature(text)).decode()}"
