"""A model store in a folder of its own."""

from pathlib import Path

import pytest

from services.registry.blob_store import BlobStore
from services.registry.manifest_store import ManifestStore
from services.registry.paths import StorePaths


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    paths = StorePaths(tmp_path)
    paths.create_folders()
    return paths


@pytest.fixture
def blobs(paths: StorePaths) -> BlobStore:
    return BlobStore(paths)


@pytest.fixture
def manifests(paths: StorePaths, blobs: BlobStore) -> ManifestStore:
    return ManifestStore(paths, blobs)
