"""Uploads over restarts, at the limit of the store, and many at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from yarl import URL

from fakes.registry_clients import RegistryClient, pieces
from fakes.small_models import small_model
from integration.registry.distribution.setup import StartRegistry
from shared.digest import digest_of
from shared.manifest import MediaType

CONTENT = bytes(range(256)) * 400
DIGEST = digest_of(CONTENT)
UPLOADS = "/v2/team/bot/blobs/uploads/"


async def begin(http: aiohttp.ClientSession) -> str:
    """The path of a new upload."""
    async with http.post(UPLOADS) as response:
        return URL(response.headers["Location"]).path


async def code_of(response: aiohttp.ClientResponse) -> str:
    return str((await response.json())["errors"][0]["code"])


async def test_an_upload_goes_on_after_a_restart(start_registry: StartRegistry) -> None:
    async with start_registry() as http:
        path = await begin(http)
        async with http.patch(path, data=CONTENT[:60_000], headers={"Content-Range": "0-59999"}) as response:
            assert response.status == 202
    async with start_registry() as http:
        async with http.get(path) as response:
            assert (response.status, response.headers["Range"]) == (204, "0-59999")
        headers = {"Content-Range": f"60000-{len(CONTENT) - 1}"}
        async with http.patch(path, data=CONTENT[60_000:], headers=headers) as response:
            assert response.status == 202
        async with http.put(f"{path}?digest={DIGEST}") as response:
            assert response.status == 201
        async with http.get(f"/v2/team/bot/blobs/{DIGEST}") as response:
            assert await response.read() == CONTENT


async def test_a_manifest_may_follow_after_a_restart(start_registry: StartRegistry) -> None:
    model = small_model()
    async with start_registry() as http:
        for digest, content in model.blobs.items():
            await RegistryClient(http, "team/bot").push_blob(digest, content)
    async with start_registry() as http:
        assert await RegistryClient(http, "team/bot").push_manifest(model.manifest) == 201


async def test_a_full_store_refuses_what_does_not_fit_and_takes_what_does(
    start_registry: StartRegistry, models_dir: Path
) -> None:
    async with start_registry(store_bytes_max=len(CONTENT) + 10) as http:
        client = RegistryClient(http, "team/bot")
        assert await client.push_blob(DIGEST, CONTENT) == 201
        too_much = b"eleven byte"
        uploads = {"digest": digest_of(too_much)}
        async with http.post(UPLOADS, params=uploads, data=too_much) as response:
            assert response.status == 403
            (error,) = (await response.json())["errors"]
        assert error == {
            "code": "DENIED",
            "message": "the model store is full: 11 bytes are needed and 10 are free",
            "detail": {"needed_bytes": 11, "free_bytes": 10},
        }
        path = await begin(http)
        async with http.patch(path, data=pieces(too_much, 4)) as response:
            assert await code_of(response) == "DENIED"
        async with http.post(f"/api/blobs/{digest_of(too_much)}", data=too_much) as response:
            assert response.status == 500
            assert "the model store is full" in (await response.json())["error"]
        assert await client.push_blob(digest_of(b"ten bytes!"), b"ten bytes!") == 201


async def test_an_upload_that_stands_still_can_go_on(start_registry: StartRegistry) -> None:
    never = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        await never.wait()

    async with start_registry(upload_idle_s=0.05) as http:
        path = await begin(http)
        async with http.patch(path, data=stuck()) as response:
            assert response.status == 504
        async with http.get(path) as response:
            received = int(response.headers["Range"].removeprefix("0-"))
        offset = received + 1 if received else 0
        async with http.put(f"{path}?digest={DIGEST}", data=CONTENT[offset:]) as response:
            assert response.status == 201


async def test_many_push_the_same_model_at_once(start_registry: StartRegistry, models_dir: Path) -> None:
    model = small_model({MediaType.SYSTEM: b"shared"})
    async with start_registry() as http:
        clients = [RegistryClient(http, f"team/bot{number % 3}") for number in range(12)]
        assert await asyncio.gather(*(client.push(model) for client in clients)) == [201] * 12
        for client in clients[:3]:
            await client.pull(model)
    assert {path.name for path in (models_dir / "blobs").iterdir()} == {
        digest.replace(":", "-") for digest in model.blobs
    }
