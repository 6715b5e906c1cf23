"""A door to other registries that may reach loopback, a registry of another kind there, and a store to push from."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from fakes.foreign_registry import ForeignRegistry, Storage
from services.registry.blob_store import BlobStore
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore
from services.registry.paths import StorePaths


@contextlib.asynccontextmanager
async def serving(part: ForeignRegistry | Storage) -> AsyncIterator[str]:
    """Gives `host:port`."""
    server = TestServer(part.app(), host="127.0.0.1")
    await server.start_server()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.close()


@pytest.fixture
def foreign() -> ForeignRegistry:
    return ForeignRegistry()


@pytest.fixture
async def host(foreign: ForeignRegistry) -> AsyncIterator[str]:
    """Where the foreign registry is."""
    async with serving(foreign) as host:
        yield host


@pytest.fixture
async def storage(foreign: ForeignRegistry) -> AsyncIterator[Storage]:
    """Where the foreign registry sends readers of blobs."""
    storage = Storage(foreign)
    async with serving(storage) as host:
        storage.url = f"http://{host}"
        foreign.storage = storage
        yield storage


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    paths = StorePaths(tmp_path / "models")
    paths.create_folders()
    return BlobStore(paths)


@pytest.fixture
def manifests(tmp_path: Path, blobs: BlobStore) -> ManifestStore:
    return ManifestStore(StorePaths(tmp_path / "models"), blobs)


@pytest.fixture
def library(blobs: BlobStore, manifests: ManifestStore) -> ModelLibrary:
    async def changed() -> None:
        """Nobody here wants to know."""

    return ModelLibrary(manifests, blobs, changed)
