"""Models that are kept up to date: what is new is pulled, what it replaces stays for those who use it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from redis.asyncio import Redis

from fakes import gguf_files as fake
from fakes.polling import until
from harness.model_source import ModelSource
from integration.registry.transfers.conftest import StartRegistry
from services.registry.paths import StorePaths
from services.registry.updates import Followed, parse_update_models
from shared import control_jobs, keys
from shared.digest import digest_of
from shared.model_index import ModelIndex
from shared.model_name import parse_model_name
from shared.settings import SettingsInvalid

OLD, NEW = fake.tiny_model(), fake.tiny_model(general__name=fake.string("Tiny, second edition"))


@pytest.fixture
async def following(start_registry: StartRegistry, host: str, source: ModelSource) -> AsyncIterator[str]:
    """A registry that follows one model of the source, and one that nobody has."""
    source.add_weights("team/tiny:latest", OLD)
    models = f"http://{host}/team/absent, http://{host}/team/tiny"
    async with start_registry(host, update_models=models) as url:
        yield url


async def ask_for_an_update(redis_url: str) -> None:
    """What the clock does at its time."""
    async with control_jobs.connected(redis_url) as client:
        await client.enqueue_job("update", _queue_name=keys.REGISTRY_JOBS)


def replacements(logs: list[structlog.typing.EventDict]) -> list[structlog.typing.EventDict]:
    """The reports of models that were there before; that of the first version may come late."""
    return [line for line in logs if line["event"] == "model_updated" and line["old_digest"]]


async def test_a_new_version_is_pulled_and_reported_and_the_old_weights_stay(
    following: str, host: str, source: ModelSource, redis: Redis, redis_url: str, models_dir: Path
) -> None:
    name = parse_model_name(f"{host}/team/tiny")
    index = ModelIndex(redis)

    async def serves(weights: bytes) -> bool:
        entry = await index.find(name)
        return entry is not None and entry.weights == digest_of(weights)

    await ask_for_an_update(redis_url)
    await until(lambda: serves(OLD))
    before = await index.find(name)
    source.add_weights("team/tiny:latest", NEW)
    with structlog.testing.capture_logs() as logs:
        await ask_for_an_update(redis_url)
        await until(lambda: serves(NEW))
        await until(lambda: any(replacements(logs)))
    after = await index.find(name)
    assert before is not None
    assert after is not None
    (report,) = replacements(logs)
    assert (report["model"], report["old_digest"], report["new_digest"]) == (name.full, before.digest, after.digest)
    assert [line["model"] for line in logs if line["event"] == "model_update_failed"] == [f"{host}/team/absent:latest"]
    assert StorePaths(models_dir).blob(digest_of(OLD)).exists(), "who waits for the old weights can load them"


async def test_what_has_not_changed_is_not_written_again(
    following: str, host: str, source: ModelSource, redis_url: str, models_dir: Path
) -> None:
    manifest = models_dir / "manifests" / host / "team" / "tiny" / "latest"
    await ask_for_an_update(redis_url)
    await until(manifest.exists)
    written_unix_ns = manifest.stat().st_mtime_ns
    asked_count = source.manifest_requests["team/tiny:latest"]
    await ask_for_an_update(redis_url)
    await until(lambda: source.manifest_requests["team/tiny:latest"] == asked_count + 1)
    await ask_for_an_update(redis_url)
    await until(lambda: source.manifest_requests["team/tiny:latest"] == asked_count + 2)
    assert manifest.stat().st_mtime_ns == written_unix_ns


def test_the_list_says_which_registries_speak_plain_http() -> None:
    assert parse_update_models(" tiny, http://localhost:5000/a/b:c ,") == (
        Followed(name=parse_model_name("tiny")),
        Followed(name=parse_model_name("localhost:5000/a/b:c"), insecure=True),
    )
    with pytest.raises(SettingsInvalid):
        parse_update_models("tiny,../x")
