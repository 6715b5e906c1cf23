"""Fixtures' parts of the tests of `/v2/`: a gateway that asks for keys, in front of a registry in memory."""

import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from fakes.ollama_keys import OllamaKey
from integration.gateway.setup import listening, serving, settings
from integration.gateway.stand_in_registry import StandInRegistry
from shared.settings import Secret

ADMIN_KEY = "bootstrap-secret"
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
WEIGHTS = bytes(range(256)) * 40
CONFIG = b'{"model_format":"gguf"}'


@contextlib.asynccontextmanager
async def registry_behind_gateway(redis_url: str, registry: StandInRegistry, **changes: object) -> AsyncIterator[str]:
    """The gateway's address; keys are required unless `changes` say otherwise."""
    locked: dict[str, object] = {"require_keys": True, "admin_key": Secret(ADMIN_KEY), "body_bytes_max": 1024}
    async with (
        listening(registry.app()) as registry_url,
        serving(settings(redis_url, **{**locked, "registry_url": registry_url, **changes})) as url,
    ):
        yield url


async def new_key(http: aiohttp.ClientSession, url: str, *, role: str = "user") -> dict[str, Any]:
    return await _made(http, url, {"name": "ann", "role": role})


async def register(http: aiohttp.ClientSession, url: str, key: OllamaKey, *, role: str = "user") -> dict[str, Any]:
    return await _made(http, url, {"name": "laptop", "role": role, "ssh_public_key": key.public_line})


async def revoke(http: aiohttp.ClientSession, url: str, key_id: str) -> None:
    async with http.delete(f"{url}/api/keys/{key_id}", headers=ADMIN) as response:
        assert response.status == 200


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(password: str, user: str = "ann") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def token_for(http: aiohttp.ClientSession, url: str, password: str, *scopes: str) -> str:
    """A token as docker gets it: with the key as a password."""
    query = [("service", "corral"), *(("scope", scope) for scope in scopes)]
    async with http.get(f"{url}/v2/token", params=query, headers=basic(password)) as response:
        assert response.status == 200, await response.text()
        token: str = (await response.json())["token"]
        return token


async def _made(http: aiohttp.ClientSession, url: str, body: dict[str, str]) -> dict[str, Any]:
    async with http.post(f"{url}/api/keys", json=body, headers=ADMIN) as response:
        assert response.status == 200, await response.text()
        made: dict[str, Any] = await response.json()
        return made
