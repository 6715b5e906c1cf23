"""Models of other registries, fetched when somebody first asks for them here. Later pulls are local.

The first request for a manifest starts a pull, and everybody who asks meanwhile shares it. They are told the manifest
as soon as the other registry has sent it; each blob follows when it has arrived and been verified. A pull goes on
when nobody waits for it any more, and after a restart; once it is done the model is in the store and found there.
Whoever may read can start such pulls: so they replace no model that was made here meanwhile, and only a few go on at
the same time.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

import msgspec
import structlog
from aiohttp import hdrs

from services.registry.distribution.dialect import Code, Refusal
from services.registry.manifest_store import decode_manifest
from services.registry.promises import repository_key
from services.registry.transfers.transfer import TransferKind
from shared.digest import Digest, digest_of
from shared.errors import CorralError, DeadlineExceeded, UpstreamForbidden, UpstreamUnknown
from shared.model_name import ModelName

log = structlog.get_logger("corral.registry")

MANIFEST_WAIT_S: Final = 60.0
"""How long a client waits for the other registry's manifest."""

PULLS_MAX: Final = 2
"""Pulls under way that were started here. Less than the transfers that may run, so that others get on."""

RETRY_AFTER_S: Final = 60


class Pull(Protocol):
    """A running transfer, as far as a mirror needs it."""

    name: ModelName
    kind: TransferKind
    only_if_absent: bool

    async def manifest(self) -> bytes: ...

    async def blob(self, digest: Digest) -> None: ...


class Pulls(Protocol):
    """All the transfers of this process."""

    async def pull(self, name: ModelName, *, only_if_absent: bool) -> Pull: ...

    def running(self) -> Sequence[Pull]: ...


class Arriving(msgspec.Struct, frozen=True, kw_only=True):
    """A blob that is on its way; `pull.blob` returns when it is here."""

    pull: Pull
    size_bytes: int


class Mirror:
    def __init__(self, pulls: Pulls) -> None:
        self._pulls = pulls
        self._starting = asyncio.Lock()

    async def manifest(self, name: ModelName, digest: Digest | None) -> bytes | None:
        """The other registry's manifest for that tag, or with `digest` one that is being pulled for any tag.

        None when there is none, or when its registry may not be asked.

        Raises: Refusal, UpstreamFailed, UpstreamRefused, StoreFull, Unavailable, DeadlineExceeded.
        """
        if digest is not None:
            return await self._manifest_of_digest(name, digest)
        try:
            async with asyncio.timeout(MANIFEST_WAIT_S):
                return await (await self._pull(name)).manifest()
        except UpstreamForbidden as error:
            log.info("mirror_refused", model=name.full, reason=error.message)
            return None
        except UpstreamUnknown:
            return None
        except TimeoutError as cause:
            raise DeadlineExceeded(f"{name.host} has not sent the manifest within {MANIFEST_WAIT_S:g} s") from cause

    async def _pull(self, name: ModelName) -> Pull:
        """Raises: Refusal when too many others are under way, Unavailable."""
        async with self._starting:
            running = [pull for pull in self._pulls.running() if pull.kind is TransferKind.PULL]
            is_known = any(pull.name.folded == name.folded for pull in running)
            if not is_known and sum(pull.only_if_absent for pull in running) >= PULLS_MAX:
                headers = {hdrs.RETRY_AFTER: str(RETRY_AFTER_S)}
                message = "other models are being fetched from their registries"
                raise Refusal(429, Code.TOOMANYREQUESTS, message, headers=headers)
            return await self._pulls.pull(name, only_if_absent=True)

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
