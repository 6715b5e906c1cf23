"""Models of other registries, fetched when somebody first asks for them here. Later pulls are local.

The first request for a manifest starts a pull, and everybody who asks meanwhile shares it. They are told the manifest
as soon as the other registry has sent it; each blob follows when it has arrived and been verified. A pull goes on
when nobody waits for it any more, and after a restart; once it is done the model is in the store and found there.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

import msgspec
import structlog

from services.registry.manifest_store import decode_manifest
from services.registry.promises import repository_key
from services.registry.transfers.transfer import TransferKind
from shared.digest import Digest, digest_of
from shared.errors import CorralError, DeadlineExceeded, UpstreamForbidden, UpstreamUnknown
from shared.model_name import ModelName

log = structlog.get_logger("corral.registry")

MANIFEST_WAIT_S: Final = 60.0
"""How long a client waits for the other registry's manifest."""


class Pull(Protocol):
    """A running transfer, as far as a mirror needs it."""

    name: ModelName
    kind: TransferKind

    async def manifest(self) -> bytes: ...

    async def blob(self, digest: Digest) -> None: ...


class Pulls(Protocol):
    """All the transfers of this process."""

    async def pull(self, name: ModelName) -> Pull: ...

    def running(self) -> Sequence[Pull]: ...


class Arriving(msgspec.Struct, frozen=True, kw_only=True):
    """A blob that is on its way; `pull.blob` returns when it is here."""

    pull: Pull
    size_bytes: int


class Mirror:
    def __init__(self, pulls: Pulls) -> None:
        self._pulls = pulls

    async def manifest(self, name: ModelName, digest: Digest | None) -> bytes | None:
        """The other registry's manifest for that tag, or with `digest` one that is being pulled for any tag.

        None when there is none, or when its registry may not be asked.

        Raises: UpstreamFailed, UpstreamRefused, StoreFull, Unavailable, DeadlineExceeded.
        """
        if digest is not None:
            return await self._manifest_of_digest(name, digest)
        try:
            async with asyncio.timeout(MANIFEST_WAIT_S):
                return await (await self._pulls.pull(name)).manifest()
        except UpstreamForbidden as error:
            log.info("mirror_refused", model=name.full, reason=error.message)
            return None
        except UpstreamUnknown:
            return None
        except TimeoutError as cause:
            raise DeadlineExceeded(f"{name.host} has not sent the manifest within {MANIFEST_WAIT_S:g} s") from cause

    async def _manifest_of_digest(self, repository: ModelName, digest: Digest) -> bytes | None:
        async for _, content in self._running(repository):
            if digest_of(content) == digest:
                return content
        return None

    async def arriving(self, repository: ModelName, digest: Digest) -> Arriving | None:
        """The blob, if a model is being pulled into this repository that needs it."""
        async for pull, content in self._running(repository):
            manifest = decode_manifest(content)
            for layer in (manifest.config, *manifest.layers):
                if layer.digest == digest:
                    return Arriving(pull=pull, size_bytes=layer.size)
        return None

    async def _running(self, repository: ModelName) -> AsyncIterator[tuple[Pull, bytes]]:
        """The pulls into that repository that are under way, and their manifests."""
        wanted = repository_key(repository)
        for pull in list(self._pulls.running()):
            if pull.kind is TransferKind.PULL and repository_key(pull.name) == wanted:
                try:
                    async with asyncio.timeout(MANIFEST_WAIT_S):
                        content = await pull.manifest()
                except (CorralError, TimeoutError):
                    continue  # it has failed, and tells its own followers
                yield pull, content
