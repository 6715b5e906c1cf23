"""The model that a new one begins with, pulled first when it is absent."""

import contextlib
from typing import Final

import msgspec

from services.registry.blob_store import BlobStore
from services.registry.building.layers import Base
from services.registry.building.pins import BaseReference, check_pin
from services.registry.building.ports import Pulls
from services.registry.building.steps import Tell
from services.registry.content import read_config, read_content
from services.registry.manifest_store import ManifestStore, StoredManifest
from services.registry.publishing import on_thread
from shared.errors import ModelUnknown
from shared.model_name import ModelName

SUCCESS: Final = "success"
"""A build's last step; the end of a pull within it is none."""


class Bases:
    def __init__(self, manifests: ManifestStore, blobs: BlobStore, pulls: Pulls) -> None:
        self._manifests = manifests
        self._blobs = blobs
        self._pulls = pulls

    async def fetch(self, reference: BaseReference, tell: Tell) -> StoredManifest:
        """The model as it lies in the store, telling the steps of its pull when it had to be pulled.

        Raises: ParameterInvalid when it is not the pinned one, ModelFileInvalid, or what ended the pull.
        """
        name = await on_thread(self._manifests.resolve, reference.name)
        try:
            stored = await on_thread(self._manifests.read, name)
        except ModelUnknown:
            await self._pull(name, tell)
            stored = await on_thread(self._manifests.read, name)
        check_pin(reference, stored.digest)
        return stored

    async def _pull(self, name: ModelName, tell: Tell) -> None:
        pull = await self._pulls.pull(name)
        async with contextlib.aclosing(pull.follow()) as steps:
            async for step in steps:
                if step.status != SUCCESS:
                    tell(step)

    def read(self, stored: StoredManifest) -> Base:
        """What a model hands on to one that begins with it.

        Raises: ModelFileInvalid, BlobMissing.
        """
        origin = stored.name.short
        return Base(
            layers=tuple(msgspec.structs.replace(layer, from_=origin) for layer in stored.manifest.layers),
            params=read_content(self._blobs, stored.manifest).params,
            config=read_config(self._blobs, stored.manifest),
        )
