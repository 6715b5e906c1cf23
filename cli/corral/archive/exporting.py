"""Models of the cluster into an archive: shared blobs once, every byte checked, the file there whole or not at all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from corral.archive.layout import blob_member, manifest_member
from corral.archive.writing import END_OF_ARCHIVE, Out, write_member, written_whole
from corral.errors import CliError
from corral.manifests import Blob, parse_manifest
from corral.model_names import ModelName
from corral.registry import Registry
from corral.terminal import Display

Manifests = Mapping[ModelName, bytes]
Blobs = Mapping[str, tuple[ModelName, Blob]]
"""Blobs by digest, each with a model that has it."""


def export_models(registry: Registry, names: Sequence[ModelName], file: Path, shown: Display) -> None:
    """Write the archive, replacing the file that may be there.

    Raises: CliError; then nothing is left behind and an older file is as it was.
    """
    shown.step("reading manifests")
    manifests = {name: _manifest(registry, name) for name in names}
    with written_whole(file) as out:
        write_models(out, registry, manifests, blobs_of(manifests), shown)
        out.write(END_OF_ARCHIVE)


def blobs_of(manifests: Manifests) -> Blobs:
    blobs: dict[str, tuple[ModelName, Blob]] = {}
    for name, content in manifests.items():
        for blob in parse_manifest(content).blobs:
            blobs.setdefault(blob.digest, (name, blob))
    return blobs


def write_models(out: Out, registry: Registry, manifests: Manifests, blobs: Blobs, shown: Display) -> None:
    """Write members for these blobs, read from the cluster as they are written, and then for these manifests."""
    for name, blob in blobs.values():
        chunks = _showing(registry.blob(name, blob.digest, blob.size), blob, shown)
        write_member(out, blob_member(blob.digest), blob.size, chunks)
    for name, content in manifests.items():
        write_member(out, manifest_member(name), len(content), [content])


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
