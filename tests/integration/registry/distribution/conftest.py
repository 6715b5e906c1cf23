"""One store, and any number of lives of the registry over it."""

import functools
from pathlib import Path

import pytest

from integration.registry.distribution.setup import StartRegistry, running_registry
from shared.settings import Secret


@pytest.fixture
def start_registry(models_dir: Path, redis_url: str) -> StartRegistry:
    """Runs a registry with these settings besides its store and its Redis; it may ask no other registry."""
    return functools.partial(
        running_registry, models_dir=str(models_dir), redis_url=Secret(redis_url), upstream_hosts=""
    )
