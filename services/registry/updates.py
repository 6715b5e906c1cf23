"""New versions of the models an operator lists, at the hour he chose.

A new version changes what the name stands for. What is being generated goes on with the old weights: whoever has
loaded them holds them by their digest, and the blobs of a replaced model stay for the collection's grace period.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import structlog

from services.registry import metrics
from services.registry.manifest_store import ManifestStore
from services.registry.publishing import on_thread
from services.registry.transfers.transfers import Transfers
from services.registry.upstream.client import Upstream
from shared.digest import digest_of, hex_of
from shared.errors import CorralError, ModelFileInvalid, ModelNameInvalid, ModelUnknown
from shared.model_name import ModelName, parse_model_name
from shared.settings import SettingsInvalid

log = structlog.get_logger("corral.registry")

FAILED: Final = "failed"


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """A model to keep up to date; `insecure` when its registry speaks plain http."""

    name: ModelName
    insecure: bool = False


def parse_update_models(text: str) -> tuple[Followed, ...]:
    """Read the comma-separated list of the setting; a name that begins with `http://` is insecure.

    Raises: SettingsInvalid.
    """
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    try:
        return tuple(Followed(name=parse_model_name(entry), insecure=entry.startswith("http://")) for entry in entries)
    except ModelNameInvalid as cause:
        raise SettingsInvalid(f"CORRAL_REGISTRY_UPDATE_MODELS: {text!r} is no list of models") from cause


class Updates:
    def __init__(
        self, followed: Iterable[Followed], manifests: ManifestStore, upstream: Upstream, transfers: Transfers
    ) -> None:
        self._followed = tuple(followed)
        self._manifests = manifests
        self._upstream = upstream
        self._transfers = transfers
        metrics.UPDATES.labels(outcome=FAILED)  # it begins at zero, so that the first failure is an increase

    async def run(self) -> None:
        """Look at every followed model and pull what is new or missing; one that fails does not stop the others."""
        for model in self._followed:
            try:
                outcome = await self._update(model)
            except CorralError as error:
                log.warning("model_update_failed", model=model.name.full, reason=error.message)
                outcome = FAILED
            metrics.UPDATES.labels(outcome=outcome).inc()

    async def _update(self, model: Followed) -> str:
        """What happened: `unchanged` or `updated`."""
        before = await on_thread(self._digest, model.name)
        async with self._upstream.repository(model.name, insecure=model.insecure) as repository:
            newest = hex_of(digest_of(await repository.manifest()))
        if newest == before:
            return "unchanged"
        transfer = await self._transfers.pull(model.name, insecure=model.insecure)
        await transfer.wait()
        after = await on_thread(self._digest, model.name)
        log.info("model_updated", model=model.name.full, old_digest=before, new_digest=after)
        return "updated"

    def _digest(self, name: ModelName) -> str:
        """That of the stored manifest; empty when there is none."""
        try:
            return self._manifests.read(self._manifests.resolve(name)).digest
        except (ModelUnknown, ModelFileInvalid):
            return ""
