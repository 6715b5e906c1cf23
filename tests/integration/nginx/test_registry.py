"""Models pass in both directions at their own size, under the public name, with every signature intact."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

from fakes.ollama_keys import OllamaKey
from integration.gateway.ollama_server import OllamaServer
from integration.gateway.registry_setup import ADMIN, CONFIG, register, registry_behind_gateway
from integration.gateway.stand_in_registry import StandInRegistry, digest_of
from integration.nginx.front_door import FrontDoor


async def test_an_ollama_installation_pushes_and_pulls_through_the_front_door(tmp_path: Path, redis_url: str) -> None:
    """Signatures over addresses, addresses of uploads, parts and ranges: all of it with the public name."""
    door, registry, key = FrontDoor(tmp_path), StandInRegistry(), OllamaKey()
    async with (
        registry_behind_gateway(redis_url, registry, public_urls=door.url) as gateway_url,
        door.running(EDGE_GATEWAY=gateway_url.removeprefix("http://")),
        door.client() as http,
    ):
        await register(http, door.url, key, role="admin")
        weights = b"new" * 500_000
        await OllamaServer(http, door.url, key).push("team/y", [weights, CONFIG])
        pulled = await OllamaServer(http, door.url, key).pull("team/y")
    assert pulled == {digest_of(weights): weights, digest_of(CONFIG): CONFIG}


async def test_an_upload_is_passed_on_while_it_arrives(tmp_path: Path, redis_url: str) -> None:
    door, registry = FrontDoor(tmp_path), StandInRegistry()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await registry.upload_began.wait()  # only a proxy that does not buffer gets past this
        yield b"x" * 500_000

    async with (
        asyncio.timeout(10),
        registry_behind_gateway(redis_url, registry, public_urls=door.url) as gateway_url,
        door.running(EDGE_GATEWAY=gateway_url.removeprefix("http://")),
        door.client() as http,
    ):
        async with http.post("/v2/team/x/blobs/uploads/", headers=ADMIN) as response:
            location = response.headers["Location"]
        assert location.startswith(f"{door.url}/v2/team/x/blobs/uploads/")
        async with http.patch(location, data=pieces(), headers=ADMIN) as response:
            assert (response.status, response.headers["Range"]) == (202, "0-500004")


async def test_the_official_command_line_is_known_by_its_signature(tmp_path: Path, redis_url: str) -> None:
    """What it signs is the method, the path and the query: all three arrive as they were sent."""
    door, key, moment = FrontDoor(tmp_path), OllamaKey(), int(time.time())
    async with (
        registry_behind_gateway(redis_url, StandInRegistry()) as gateway_url,
        door.running(EDGE_GATEWAY=gateway_url.removeprefix("http://")),
        door.client() as http,
    ):
        await register(http, door.url, key)
        for path, wanted in (("/api/ps", 200), ("/api/tags", 403)):
            signed = {"Authorization": key.authorization(f"GET,/api/ps?ts={moment}".encode())}
            async with http.get(f"{path}?ts={moment}", headers=signed) as response:
                assert response.status == wanted
