"""The official command line with OLLAMA_AUTH=1: who it is let in as, and what is not accepted."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from redis.asyncio import Redis

from corral.__main__ import parser
from corral.client import Client
from fakes.model_entries import WEIGHTS
from fakes.ollama_keys import OllamaKey
from fakes.worker import ScriptedWorker, say
from integration.gateway.ollama_command_line import OllamaCommandLine
from integration.gateway.registry_setup import ADMIN_KEY, register, registry_behind_gateway, revoke
from integration.gateway.setup import TINY, listening
from integration.gateway.stand_in_registry import StandInRegistry, digest_of
from services.gateway.signatures import SKEW_S_MAX
from shared.model_index import ModelIndex

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "stream": False}
BLOB = b"weights"


@pytest.fixture
def key() -> OllamaKey:
    return OllamaKey()


@pytest.fixture
def ollama(http: aiohttp.ClientSession, url: str, key: OllamaKey) -> OllamaCommandLine:
    return OllamaCommandLine(http, url, key)


async def test_a_key_registered_by_our_command_line_opens_the_api_to_ollamas(
    url: str, ollama: OllamaCommandLine, key: OllamaKey, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "id_ed25519.pub"
    file.write_text(key.public_line + "\n")

    def register_it() -> None:
        arguments = parser().parse_args(["keys", "add-ssh", "laptop", str(file)])
        with Client(url, ADMIN_KEY) as client:
            arguments.run(arguments, client)

    await ModelIndex(redis).publish([TINY])
    assert (await ollama.call("POST", "/api/chat", CHAT))[0] == 403
    await asyncio.to_thread(register_it)
    async with ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hello")).running() as worker:
        status, text = await ollama.call("POST", "/api/chat", CHAT)
    assert (status, json.loads(text)["message"]["content"]) == (200, "Hello")
    assert worker.requests[0].user.startswith("key_")


async def test_the_first_call_of_every_command_is_open_signed_or_not(
    url: str, http: aiohttp.ClientSession, ollama: OllamaCommandLine
) -> None:
    assert (await ollama.call("HEAD", "/"))[0] == 200
    async with http.head(f"{url}/") as response:
        assert response.status == 200


async def test_every_refusal_is_a_403_with_a_text_to_read(
    url: str, http: aiohttp.ClientSession, ollama: OllamaCommandLine, key: OllamaKey
) -> None:
    status, text = await ollama.call("GET", "/api/ps")
    assert (status, "does not know the key SHA256:" in text, "corral keys add-ssh" in text) == (403, True, True)
    async with http.get(f"{url}/api/ps") as response:
        assert response.status == 403
        assert "OLLAMA_AUTH=1" in (await response.json())["error"]
    await register(http, url, key)
    now = str(int(time.time()))
    of_another_path = ollama.authorization(f"GET,/api/tags?ts={now}")
    of_another_method = ollama.authorization(f"POST,/api/ps?ts={now}")
    of_another_moment = ollama.authorization(f"GET,/api/ps?ts={int(now) - 1}")
    of_a_prefix = ollama.authorization(f"GET,/corral/api/ps?ts={now}")
    for header in (of_another_path, of_another_method, of_another_moment, of_a_prefix):
        status, text = await ollama.send("GET", "/api/ps", now, header)
        assert (status, json.loads(text)) == (403, {"error": "the signature of this request is not the key's"})
    status, text = await ollama.send("GET", "/api/ps", "", ollama.authorization("GET,/api/ps?ts="))
    assert (status, "does not say when it was signed" in text) == (403, True)


@pytest.mark.parametrize(("skew_s", "direction"), [(-2 * SKEW_S_MAX, "behind"), (2 * SKEW_S_MAX, "ahead of")])
async def test_a_clock_that_is_off_either_way_is_refused_and_named(
    url: str, http: aiohttp.ClientSession, key: OllamaKey, skew_s: int, direction: str
) -> None:
    await register(http, url, key)
    status, text = await OllamaCommandLine(http, url, key, clock_skew_s=skew_s).call("GET", "/api/ps")
    assert (status, direction in text) == (403, True)


async def test_equal_calls_of_one_second_are_all_served(
    url: str, http: aiohttp.ClientSession, ollama: OllamaCommandLine, key: OllamaKey
) -> None:
    """Their signatures are the same byte for byte, so a server that remembered used ones would refuse `rm a b`."""
    await register(http, url, key)
    now = str(int(time.time()))
    signed = ollama.authorization(f"GET,/api/ps?ts={now}")
    assert signed == ollama.authorization(f"GET,/api/ps?ts={now}")
    answers = await asyncio.gather(*(ollama.send("GET", "/api/ps", now, signed) for _ in range(3)))
    assert [status for status, _ in answers] == [200, 200, 200]


async def test_a_signature_manages_models_and_keys_when_it_is_an_admins(
    url: str, http: aiohttp.ClientSession, ollama: OllamaCommandLine, key: OllamaKey
) -> None:
    record = await register(http, url, key)
    for call in (("POST", "/api/blobs/" + digest_of(BLOB), BLOB), ("GET", "/api/keys")):
        status, text = await ollama.call(*call)
        assert (status, "role admin" in text) == (403, True)
    await revoke(http, url, record["id"])
    await register(http, url, key, role="admin")
    assert (await ollama.call("GET", "/api/keys"))[0] == 200


async def test_a_revoked_key_is_out_at_once(
    url: str, http: aiohttp.ClientSession, ollama: OllamaCommandLine, key: OllamaKey
) -> None:
    record = await register(http, url, key)
    assert (await ollama.call("GET", "/api/ps"))[0] == 200
    await revoke(http, url, record["id"])
    assert (await ollama.call("GET", "/api/ps"))[0] == 403


@contextlib.asynccontextmanager
async def behind_prefix(prefix: str, url: str, http: aiohttp.ClientSession) -> AsyncIterator[str]:
    """A proxy that serves `url` below `prefix`, as nginx does with `location /PREFIX/ { proxy_pass URL/; }`."""

    async def pass_on(request: web.Request) -> web.Response:
        target = url + request.raw_path.removeprefix(prefix)
        headers = {"Authorization": request.headers["Authorization"]}
        async with http.request(request.method, target, headers=headers) as response:
            return web.Response(status=response.status, body=await response.read())

    app = web.Application()
    app.router.add_route("*", prefix + "/{path:.*}", pass_on)
    async with listening(app) as address:
        yield address + prefix


async def test_a_path_before_the_api_is_not_signed(url: str, http: aiohttp.ClientSession, key: OllamaKey) -> None:
    await register(http, url, key)
    async with behind_prefix("/corral", url, http) as host:
        ollama = OllamaCommandLine(http, host, key)
        assert [(await ollama.call(*call))[0] for call in (("HEAD", "/"), ("GET", "/api/ps"))] == [200, 200]


async def test_where_no_keys_are_required_a_known_key_is_its_user_and_a_stranger_is_nobody_special(
    redis_url: str, registry: StandInRegistry, http: aiohttp.ClientSession, key: OllamaKey
) -> None:
    async with registry_behind_gateway(redis_url, registry, require_keys=False) as url:
        known, stranger = OllamaCommandLine(http, url, key), OllamaCommandLine(http, url, OllamaKey())
        await register(http, url, key)
        assert (await stranger.call("GET", "/api/ps"))[0] == 200
        assert (await known.call("GET", "/api/ps"))[0] == 200
        assert (await known.call("GET", "/api/keys"))[0] == 403
