"""What clients ask of Ollama's cloud: there is none, and they are told so."""

import aiohttp
import pytest

DISABLED = "ollama cloud is disabled: "
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}


async def test_the_cloud_is_switched_off_and_recommends_nothing(gateway_url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{gateway_url}/api/status") as response:
        assert await response.json() == {"cloud": {"disabled": True, "source": "env"}}
    async with http.get(f"{gateway_url}/api/experimental/model-recommendations") as response:
        assert await response.json() == {"recommendations": []}


@pytest.mark.parametrize(
    ("method", "path", "unavailable"),
    [
        ("POST", "/api/me", "accounts are unavailable"),
        ("POST", "/api/signout", "accounts are unavailable"),
        ("DELETE", "/api/user/keys/abc", "accounts are unavailable"),
        ("POST", "/api/experimental/web_search", "web search is unavailable"),
        ("POST", "/api/experimental/web_fetch", "web fetch is unavailable"),
    ],
)
async def test_what_only_the_cloud_can_do_is_refused(
    gateway_url: str, http: aiohttp.ClientSession, method: str, path: str, unavailable: str
) -> None:
    async with http.request(method, gateway_url + path, json={"query": "x"}) as response:
        assert (response.status, await response.json()) == (403, {"error": DISABLED + unavailable})


@pytest.mark.parametrize(
    ("path", "fields"),
    [("generate", {"prompt": "Hi"}), ("chat", CHAT), ("embed", {"input": "Hi"}), ("embeddings", {"prompt": "Hi"})],
)
@pytest.mark.parametrize("model", ["tiny:cloud", "tiny:8b-cloud"])
async def test_a_model_in_the_cloud_is_unavailable(
    gateway_url: str, http: aiohttp.ClientSession, path: str, fields: dict[str, object], model: str
) -> None:
    async with http.post(f"{gateway_url}/api/{path}", json={"model": model, **fields}) as response:
        assert (response.status, await response.json()) == (403, {"error": DISABLED + "remote model is unavailable"})


async def test_openais_routes_say_so_in_their_own_envelope(gateway_url: str, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{gateway_url}/v1/chat/completions", json={"model": "tiny:cloud", **CHAT}) as response:
        assert response.status == 403
        assert (await response.json())["error"]["message"] == DISABLED + "remote model is unavailable"
    async with http.get(f"{gateway_url}/v1/models/tiny:cloud") as response:
        assert response.status == 403
        assert (await response.json())["error"]["message"] == DISABLED + "remote model details are unavailable"


async def test_a_name_in_two_places_is_refused(gateway_url: str, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{gateway_url}/api/chat", json={"model": "tiny:cloud:local", **CHAT}) as response:
        assert response.status == 400
        assert await response.json() == {"error": 'use either :local or :cloud, not both: "tiny:cloud:local"'}
