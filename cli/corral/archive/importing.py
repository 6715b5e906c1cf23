"""An archive's models into the cluster: what it lacks is uploaded, manifests come last."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from corral.archive.reading import Contents
from corral.errors import CliError
from corral.manifests import Blob, parse_manifest
from corral.model_names import ModelName
from corral.registry import Registry
from corral.terminal import Display


@dataclass(frozen=True)
class Import:
    """What there is to do for one model; `shared` says which other one will have a missing blob by then."""

    name: ModelName
    manifest: bytes
    missing: tuple[Blob, ...]
    shared: Mapping[str, ModelName]


def plan_import(contents: Contents, registry: Registry) -> list[Import]:
    """Find out what the cluster lacks; nothing is sent.

    Raises: CliError when the archive is not consistent or not complete.
    """
    if not contents.manifests:
        raise CliError(f"{contents.path} holds no model")
    imports: list[Import] = []
    holders: dict[str, ModelName] = {}
    for name in sorted(contents.manifests):
        content = contents.manifest(name)
        blobs = parse_manifest(content).blobs
        require_sizes(blobs, contents)
        missing = tuple(blob for blob in blobs if not registry.has_blob(name, blob.digest))
        for blob in missing:
            if blob.digest not in contents.blobs:
                raise CliError(f"neither the archive nor the cluster has {blob.digest}, a part of {name.short}")
        shared = {blob.digest: holders[blob.digest] for blob in missing if blob.digest in holders}
        holders |= {blob.digest: name for blob in missing if blob.digest not in holders}
        imports.append(Import(name, content, missing, shared))
    return imports


def require_sizes(blobs: Iterable[Blob], contents: Contents) -> None:
    """Raises: CliError when the archive has one of these blobs with another size."""
    for blob in blobs:
        span = contents.blobs.get(blob.digest)
        if span is not None and span.size != blob.size:
            raise CliError(f"{blob.digest} has {span.size} bytes in the archive and should have {blob.size}")


def import_model(wanted: Import, contents: Contents, registry: Registry, shown: Display) -> None:
    """Raises: CliError when a blob's bytes have another digest, ApiError; the model is then as it was before."""
    for blob in wanted.missing:
        source = wanted.shared.get(blob.digest)
        if source is not None and registry.mount(wanted.name, blob.digest, source=source):
            continue
        if blob.digest not in contents.blobs:
            raise CliError(f"{blob.digest}, a part of {wanted.name.short}, has just gone from the cluster")
        chunks = _showing(contents.chunks(contents.blobs[blob.digest]), blob, shown)
        registry.upload(wanted.name, blob.digest, chunks, blob.size)
    registry.put_manifest(wanted.name, wanted.manifest)


def _showing(chunks: Iterable[bytes], blob: Blob, shown: Display) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        shown.bar(f"sending {blob.digest[7:19]}", done, blob.size)
