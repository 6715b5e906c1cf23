"""The real registry's metrics follow its store and its pulls."""

from pathlib import Path

import ollama
import pytest
from aiohttp.test_utils import TestServer
from prometheus_client import REGISTRY

from fakes.polling import until
from harness.cluster import free_port
from services.registry.app import build_app
from services.registry.settings import Settings
from shared.digest import digest_of
from shared.settings import Secret

STORE_BYTES_MAX = 100 << 20


def shown(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"corral_registry_{name}", labels)


async def test_what_is_free_in_the_store_is_shown_at_the_start_and_after_every_upload(
    redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(
        models_dir=str(tmp_path), redis_url=Secret(redis_url), upstream_hosts="", store_bytes_max=STORE_BYTES_MAX
    )
    content = bytes(3 << 20)
    async with TestServer(build_app(settings), host="127.0.0.1") as server:
        await until(lambda: shown("store_free_bytes") == STORE_BYTES_MAX)
        async with ollama.AsyncClient(str(server.make_url("/"))) as client:
            path = tmp_path / "file"
            path.write_bytes(content)
            assert await client.create_blob(path) == digest_of(content)  # in chunks: its size is not told
        assert shown("store_free_bytes") == STORE_BYTES_MAX - len(content)


async def test_a_pull_that_fails_is_counted_from_zero(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registry.transfers.retries.PAUSE_S_MAX", 0.01)
    nobody = f"127.0.0.1:{free_port()}"
    settings = Settings(models_dir=str(tmp_path), redis_url=Secret(redis_url), upstream_hosts=nobody)
    async with TestServer(build_app(settings), host="127.0.0.1") as server:
        before = shown("transfers_total", kind="pull", outcome="upstream_failed")
        assert before is not None
        async with ollama.AsyncClient(str(server.make_url("/"))) as client:
            with pytest.raises(ollama.ResponseError):
                await client.pull(f"{nobody}/team/tiny", insecure=True)
        assert shown("transfers_total", kind="pull", outcome="upstream_failed") == before + 1
    assert shown("updates_total", outcome="failed") is not None
