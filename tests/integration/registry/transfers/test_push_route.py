"""Pushes over real HTTP: Ollama's events, and what arrives at the other registry."""

import json

import aiohttp
from aiohttp.test_utils import TestServer

from fakes import gguf_files as fake
from fakes.foreign_registry import ForeignRegistry
from harness.model_source import CONFIG, ModelSource
from integration.registry.transfers.conftest import StartRegistry
from shared.digest import digest_of


async def test_a_model_is_pushed_with_ollamas_events(
    start_registry: StartRegistry, host: str, source: ModelSource
) -> None:
    weights = source.add_weights("team/tiny:latest", fake.tiny_model())
    foreign = ForeignRegistry()
    async with TestServer(foreign.app(), host="127.0.0.1") as server:
        target = f"127.0.0.1:{server.port}"
        async with start_registry(f"{host},{target}") as url, aiohttp.ClientSession(url) as http:
            pull = {"model": f"{host}/team/tiny", "insecure": True, "stream": False}
            assert (await http.post("/api/pull", json=pull)).status == 200
            copy = {"source": f"{host}/team/tiny", "destination": f"{target}/team/tiny"}
            assert (await http.post("/api/copy", json=copy)).status == 200
            async with http.post("/api/push", json={"model": f"{target}/team/tiny", "insecure": True}) as response:
                events = [json.loads(line) for line in (await response.text()).splitlines()]
    assert list(dict.fromkeys(event["status"] for event in events)) == [
        "retrieving manifest",
        f"pushing {weights[7:19]}",
        f"pushing {digest_of(CONFIG)[7:19]}",
        "pushing manifest",
        "success",
    ]
    assert foreign.blobs == {weights: fake.tiny_model(), digest_of(CONFIG): CONFIG}
    assert set(foreign.manifests) == {"latest"}
