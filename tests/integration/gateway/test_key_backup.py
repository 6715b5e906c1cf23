"""Keys out of a store and back over HTTP: what is brought back, and what is no key that this server would have made."""

from typing import Any

import aiohttp
import msgspec
import pytest
from redis.asyncio import Redis

from fakes.clock import FakeClock
from integration.gateway.registry_setup import ADMIN, bearer, new_key
from services.gateway.key_store import KeyRecord, KeyStore

CREDENTIAL = "a" * 64
RECORD: dict[str, Any] = {
    "id": "key_0123456789abcdef",
    "name": "ann",
    "role": "user",
    "created_unix_ms": 1,
    "weight": 2.0,
    "fingerprint": "",
    "summarizes": True,
}


async def saved(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with http.get(f"{url}/api/backup/keys", headers=ADMIN) as response:
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
        found: dict[str, Any] = (await response.json())["keys"]
        return found


async def restored(http: aiohttp.ClientSession, url: str, **body: object) -> dict[str, Any]:
    async with http.post(f"{url}/api/restore/keys", json=body, headers=ADMIN) as response:
        assert response.status == 200, await response.text()
        told: dict[str, Any] = await response.json()
        return told


async def test_a_record_comes_back_as_it_was_and_each_fate_is_told(url: str, http: aiohttp.ClientSession) -> None:
    ann = {"id": RECORD["id"], "name": "ann"}
    nothing: dict[str, Any] = {"added": [], "replaced": [], "same": [], "kept": []}
    assert await restored(http, url, keys={CREDENTIAL: RECORD}) == {**nothing, "added": [ann]}
    assert await saved(http, url) == {CREDENTIAL: RECORD}
    assert await restored(http, url, keys={CREDENTIAL: RECORD}) == {**nothing, "same": [ann]}
    changed = {CREDENTIAL: {**RECORD, "role": "admin"}}
    assert await restored(http, url, keys=changed) == {**nothing, "kept": [ann]}
    assert await saved(http, url) == {CREDENTIAL: RECORD}
    assert await restored(http, url, keys=changed, replace=True) == {**nothing, "replaced": [ann]}
    assert await saved(http, url) == changed


async def test_a_revoked_key_opens_again_when_it_is_restored(url: str, http: aiohttp.ClientSession) -> None:
    made = await new_key(http, url)
    keys = await saved(http, url)
    async with http.delete(f"{url}/api/keys/{made['id']}", headers=ADMIN):
        pass
    await restored(http, url, keys=keys)
    async with http.get(f"{url}/api/ps", headers=bearer(made["key"])) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"corral_secret": RECORD}, "something that is no key"),
        ({CREDENTIAL: "ann"}, "a damaged key"),
        ({CREDENTIAL: {**RECORD, "role": "king"}}, "a damaged key"),
        ({CREDENTIAL: {"id": RECORD["id"]}}, "a damaged key"),
        ({CREDENTIAL: {**RECORD, "requests_per_century": 1}}, "does not know 'requests_per_century' of keys"),
        ({CREDENTIAL: {**RECORD, "id": "key_0123456789abcdef/other"}}, "without a proper id and name"),
        ({CREDENTIAL: {**RECORD, "id": "admin"}}, "without a proper id and name"),
        ({CREDENTIAL: {**RECORD, "name": "a" * 101}}, "without a proper id and name"),
        ({CREDENTIAL: {**RECORD, "weight": 0}}, "no key that this server would have made"),
        ({CREDENTIAL: {**RECORD, "fingerprint": "SHA256:x"}}, "no key that this server would have made"),
        ({f"ssh:{CREDENTIAL}": RECORD}, "no key that this server would have made"),
        ({CREDENTIAL: RECORD, "b" * 64: RECORD}, "the same id"),
        ([RECORD], "cannot unmarshal array"),
    ],
)
async def test_what_is_no_key_of_ours_is_refused_and_nothing_else_restored(
    url: str, http: aiohttp.ClientSession, keys: object, text: str
) -> None:
    also = {**keys, "c" * 64: {**RECORD, "id": "key_fedcba9876543210"}} if isinstance(keys, dict) else keys
    async with http.post(f"{url}/api/restore/keys", json={"keys": also}, headers=ADMIN) as response:
        assert response.status == 400
        assert text in (await response.json())["error"]
    assert await saved(http, url) == {}


async def test_a_key_that_came_meanwhile_is_not_overwritten(redis: Redis, clock: FakeClock) -> None:
    store, older = KeyStore(redis, clock), msgspec.convert(RECORD, KeyRecord)
    newer = msgspec.structs.replace(older, name="ann, since then")
    await store.put(added={CREDENTIAL: newer}, replaced={})
    await store.put(added={CREDENTIAL: older}, replaced={})
    assert await store.by_credential() == {CREDENTIAL: newer}


async def test_an_id_is_never_two_keys(url: str, http: aiohttp.ClientSession) -> None:
    made = await new_key(http, url)
    keys = {CREDENTIAL: {**RECORD, "id": made["id"]}}
    async with http.post(f"{url}/api/restore/keys", json={"keys": keys, "replace": True}, headers=ADMIN) as response:
        assert (response.status, await response.json()) == (400, {"error": f"{made['id']} is another key here"})
