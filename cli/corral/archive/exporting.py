"""Models of the cluster into an archive: shared blobs once, every byte checked, the file there whole or not at all."""

import os
import tarfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from corral.archive.layout import blob_member, manifest_member
from corral.errors import CliError
from corral.manifests import Blob, parse_manifest
from corral.model_names import ModelName
from corral.registry import Registry
from corral.terminal import Display

END_OF_ARCHIVE: Final = bytes(2 * tarfile.BLOCKSIZE)


def export_models(registry: Registry, names: Sequence[ModelName], file: Path, shown: Display) -> None:
    """Write the archive, blobs first, replacing the file that may be there.

    Raises: CliError; then nothing is left behind and an older file is as it was.
    """
    shown.step("reading manifests")
    manifests = {name: _manifest(registry, name) for name in names}
    blobs: dict[str, tuple[ModelName, Blob]] = {}
    for name, content in manifests.items():
        for blob in parse_manifest(content).blobs:
            blobs.setdefault(blob.digest, (name, blob))
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as out:
            for name, blob in blobs.values():
                chunks = _showing(registry.blob(name, blob.digest, blob.size), blob, shown)
                _write_member(out, blob_member(blob.digest), blob.size, chunks)
            for name, content in manifests.items():
                _write_member(out, manifest_member(name), len(content), [content])
            out.write(END_OF_ARCHIVE)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as cause:
        raise CliError(f"cannot write {file}: {cause.strerror}") from cause
    finally:
        part.unlink(missing_ok=True)


def _manifest(registry: Registry, name: ModelName) -> bytes:
    content = registry.manifest(name)
    if content is None:
        raise CliError(f"model '{name.short}' not found")
    return content


def _showing(chunks: Iterable[bytes], blob: Blob, shown: Display) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        shown.bar(f"saving {blob.digest[7:19]}", done, blob.size)


def _write_member(out: BinaryIO, path: str, size: int, chunks: Iterable[bytes]) -> None:
    header = tarfile.TarInfo(path)
    header.size, header.mtime = size, int(time.time())
    out.write(header.tobuf(tarfile.PAX_FORMAT))
    out.writelines(chunks)
    out.write(bytes(-size % tarfile.BLOCKSIZE))
