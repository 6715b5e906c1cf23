"""What clients look at before they ask for anything: versions, listings, details, and how absence is told."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from fakes.gguf_files import tiny_model
from integration.gateway.setup import listening, serving, settings
from services.registry.app import build_app
from services.registry.settings import Settings as RegistrySettings
from shared.digest import digest_of
from shared.settings import Secret

TEMPLATE = "{{ range .Messages }}{{ .Content }}{{ end }}{{ .Tools }}"


@pytest.fixture
async def url(redis_url: str, tmp_path: Path, http: aiohttp.ClientSession) -> AsyncIterator[str]:
    """A gateway in front of a registry that holds the model `team/bot:latest`."""
    registry = build_app(RegistrySettings(models_dir=str(tmp_path), redis_url=Secret(redis_url)))
    async with (
        listening(registry) as registry_url,
        serving(settings(redis_url, registry_url=registry_url)) as url,
    ):
        weights = tiny_model()
        async with http.post(f"{url}/api/blobs/{digest_of(weights)}", data=weights) as response:
            assert response.status == 201
        files = {"model.gguf": digest_of(weights)}
        body = {"model": "team/bot", "files": files, "template": TEMPLATE, "parameters": {"stop": ["END"]}}
        async with http.post(f"{url}/api/create", json={**body, "stream": False}) as response:
            assert await response.json() == {"status": "success"}
        yield url


async def shown(http: aiohttp.ClientSession, url: str, **fields: object) -> dict[str, Any]:
    async with http.post(f"{url}/api/show", json=fields) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        body: dict[str, Any] = await response.json()
        return body


async def test_a_listing_has_what_clients_cut_sort_and_filter_by(url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{url}/api/tags") as response:
        (row,) = (await response.json())["models"]
    assert row["name"] == row["model"] == "team/bot:latest"
    assert re.fullmatch("[0-9a-f]{64}", row["digest"])
    assert row["size"] > 0
    assert row["modified_at"].startswith("20")
    assert row["details"]["format"] == "gguf"
    assert {"parent_model", "family", "families", "parameter_size", "quantization_level"} <= set(row["details"])
    assert row["capabilities"] == ["completion", "tools"]


@pytest.mark.parametrize("fields", [{"model": "team/bot"}, {"name": "TEAM/bot:local", "model": ""}])
async def test_details_come_under_the_new_name_of_the_field_and_the_old(
    url: str, http: aiohttp.ClientSession, fields: dict[str, object]
) -> None:
    body = await shown(http, url, **fields)
    assert (body["template"], body["parameters"]) == (TEMPLATE, 'stop                           "END"')
    assert body["capabilities"] == ["completion", "tools"]
    assert body["model_info"]["general.architecture"] == "llama"
    assert "general.name" not in body["model_info"]
    assert "license" not in body
    assert "system" not in body
    assert {"details", "model_info", "modified_at", "modelfile", "tensors"} <= set(body)


async def test_lists_of_the_file_are_null_unless_asked_for(url: str, http: aiohttp.ClientSession) -> None:
    brief, verbose = await shown(http, url, model="team/bot"), await shown(http, url, model="team/bot", verbose=True)
    lists = {key for key, value in verbose["model_info"].items() if isinstance(value, list) and value}
    assert lists
    assert {key for key, value in brief["model_info"].items() if value is None} == lists


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"model": "absent"}, 404, "model 'absent:latest' not found"),
        ({}, 400, "model is required"),
        ({"model": "a//b"}, 400, "invalid model name"),
        ({"model": "m:cloud"}, 403, "ollama cloud is disabled: remote model details are unavailable"),
        ({"model": "m:cloud:local"}, 400, 'use either :local or :cloud, not both: "m:cloud:local"'),
    ],
)
async def test_what_cannot_be_shown_is_told_in_ollamas_words(
    url: str, http: aiohttp.ClientSession, fields: dict[str, object], status: int, text: str
) -> None:
    async with http.post(f"{url}/api/show", data=json.dumps(fields)) as response:
        assert (response.status, await response.json()) == (status, {"error": text})


async def test_the_root_and_the_version_say_what_kind_of_server_this_is(url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(url) as response:
        assert await response.text() == "Ollama is running"
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    async with http.get(f"{url}/api/version") as response:
        version = (await response.json())["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[\w.]+)?", version)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/api/version", 200), ("/api/tags", 200), ("/api/ps", 405), ("/api/show", 405), ("/api/x", 404)],
)
async def test_head_is_answered_where_ollama_answers_it(
    url: str, http: aiohttp.ClientSession, path: str, status: int
) -> None:
    async with http.head(url + path) as response:
        assert (response.status, await response.read()) == (status, b"")


async def test_a_page_that_is_allowed_reads_what_is_forwarded_too(url: str, http: aiohttp.ClientSession) -> None:
    for origin in ("http://127.0.0.1:8080", "tauri://localhost", "vscode-webview://x"):
        async with http.get(f"{url}/api/tags", headers={"Origin": origin}) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, origin)
    async with http.get(f"{url}/api/tags/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (301, "/api/tags")
