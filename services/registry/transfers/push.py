"""Pushing a model: what the other registry lacks of its blobs, then its manifest. When to push is not known here."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Final

import msgspec

from services.registry.blob_store import BlobStore
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore, StoredManifest
from services.registry.publishing import on_thread
from services.registry.transfers.progress import Progress
from services.registry.upstream.client import Upstream
from services.registry.upstream.repository import Repository
from shared.digest import Digest, hex_of
from shared.errors import ModelNameInvalid
from shared.manifest import Layer, Manifest
from shared.model_name import ModelName, parse_model_name

TOLD_EVERY_S: Final = 0.06
"""Ollama's own pace of progress events."""

SHOWN_DIGEST_CHARS: Final = 12


async def push(
    name: ModelName,
    upstream: Upstream,
    manifests: ManifestStore,
    blobs: BlobStore,
    library: ModelLibrary,
    *,
    insecure: bool = False,
) -> AsyncGenerator[Progress]:
    """Push the model to the registry its name says, telling how it goes; leaving the loop ends the push.

    What is pushed is the model as it is at the beginning, whatever becomes of its name meanwhile.

    Source: Ollama `server/images.go`, PushModel.

    Raises: ModelUnknown (before any event), BlobUnknown, BlobMissing, UpstreamForbidden, UpstreamRefused,
        UpstreamFailed.
    """
    async with _held(await on_thread(manifests.resolve, name), manifests, library) as stored:
        yield Progress(status="retrieving manifest")
        async with upstream.repository(stored.name, insecure=insecure) as repository:
            for layer in _each_blob_once(stored.manifest):
                mount_from = mount_source(layer, stored.name)
                async with contextlib.aclosing(_push_blob(repository, blobs, layer, mount_from)) as events:
                    async for progress in events:
                        yield progress
            yield Progress(status="pushing manifest")
            await repository.put_manifest(pushed_bytes(stored.manifest))
    yield Progress(status="success")


@contextlib.asynccontextmanager
async def _held(name: ModelName, manifests: ManifestStore, library: ModelLibrary) -> AsyncIterator[StoredManifest]:
    """The model, whose blobs stay for the length of the block.

    Raises: ModelUnknown, ModelFileInvalid.
    """
    while True:
        stored = await on_thread(manifests.read, name)
        async with library.hold(stored.references):
            # One that was replaced before the hold may have lost blobs already.
            if (await on_thread(manifests.read, name)).digest == stored.digest:
                yield stored
                return


def pushed_bytes(manifest: Manifest) -> bytes:
    """The manifest as Ollama sends it: compact, unknown keys left out."""
    return msgspec.json.encode(manifest)


def mount_source(layer: Layer, name: ModelName) -> str:
    """The repository `namespace/model`, in the same registry, that the layer says it is from; empty when none."""
    try:
        source = parse_model_name(layer.from_)
    except ModelNameInvalid:
        return ""
    is_other = (source.namespace, source.model) != (name.namespace, name.model)
    return f"{source.namespace}/{source.model}" if source.host == name.host and is_other else ""


def _each_blob_once(manifest: Manifest) -> Iterator[Layer]:
    """Layers, then the config, as Ollama goes."""
    seen: set[Digest] = set()
    for layer in (*manifest.layers, manifest.config):
        if layer.digest not in seen:
            seen.add(layer.digest)
            yield layer


async def _push_blob(
    repository: Repository, blobs: BlobStore, layer: Layer, mount_from: str
) -> AsyncGenerator[Progress]:
    digest, path = layer.digest, blobs.path(layer.digest)
    status = f"pushing {hex_of(digest)[:SHOWN_DIGEST_CHARS]}"
    sent_bytes = 0

    def told(completed: int) -> None:
        nonlocal sent_bytes
        sent_bytes = completed

    async def upload() -> None:
        if not await repository.has_blob(digest):
            await repository.upload_blob(digest, path, mount_from=mount_from, on_progress=told)

    uploading = asyncio.create_task(upload())
    try:
        while not uploading.done():
            yield Progress(status=status, digest=digest, total=layer.size, completed=sent_bytes)
            await asyncio.wait([uploading], timeout=TOLD_EVERY_S)
        uploading.result()
    finally:
        uploading.cancel()
        await asyncio.wait([uploading])
    yield Progress(status=status, digest=digest, total=layer.size, completed=layer.size)
