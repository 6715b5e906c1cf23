"""A small backup as `corral backup` writes it, and one as somebody would write it who knows the format."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from typing import Final

from corral.backup.making import Gathered, write_backup
from corral.backup.seal import SEAL, SEAL_BYTES
from corral.client import Client
from corral.manifests import parse_manifest
from corral.model_names import ModelName, parse_model_name
from corral.registry import Registry
from fakes.display import RecordingDisplay

KEYS: Final = b'{"keys": {"hash": {"id": "key_1"}}}'
WEIGHTS: Final = bytes(range(256)) * 5
SYSTEM: Final = b"Be kind."
CONFIG: Final = b"{}"
NAME: Final = parse_model_name("team/bot:1")
_TYPE: Final = "application/vnd.ollama.image."


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def part(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content), "from": "base"}


MANIFEST: Final = json.dumps(
    {
        "schemaVersion": 2,
        "config": part(CONFIG, "application/vnd.docker.container.image.v1+json"),
        "layers": [part(WEIGHTS, f"{_TYPE}model"), part(SYSTEM, f"{_TYPE}system")],
    }
).encode()


class KnownBlobs(Registry):
    """A registry with these blobs, without a network."""

    def __init__(self, *contents: bytes) -> None:
        super().__init__(Client("http://127.0.0.1:9"))
        self._contents = {digest(content): content for content in contents}

    def blob(self, name: ModelName, digest: str, size: int) -> Iterator[bytes]:
        yield self._contents[digest]


def backup_file() -> bytes:
    """A backup with one key and one model, weights included."""
    blobs = {blob.digest: (NAME, blob) for blob in parse_manifest(MANIFEST).blobs}
    out = io.BytesIO()
    write_backup(out, Gathered(KEYS, {NAME: MANIFEST}, blobs), KnownBlobs(CONFIG, WEIGHTS, SYSTEM), RecordingDisplay())
    return out.getvalue()


def members_of(content: bytes) -> dict[str, bytes]:
    """Without the seal."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = {member.name: tar.extractfile(member) for member in tar if member.name != SEAL}
        return {name: file.read() for name, file in found.items() if file is not None}


def sealed(members: dict[str, bytes], *, claimed_sizes: dict[str, int] | None = None) -> bytes:
    """A file with these members and a seal that fits; sizes may be claimed that are not so."""
    out = io.BytesIO()
    for name, content in members.items():
        info = tarfile.TarInfo(name)
        info.size = (claimed_sizes or {}).get(name, len(content))
        out.write(info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE))
    seal = tarfile.TarInfo(SEAL)
    seal.size = 65
    body = out.getvalue() + seal.tobuf()
    return body + f"{hashlib.sha256(body).hexdigest()}\n".encode().ljust(SEAL_BYTES, b"\0")
