"""The first minute with a new cluster: the bundled model comes in once, the first prompt is answered."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiohttp.test_utils import TestServer

from corral.errors import ApiError
from corral.up import first_prompt
from corral.up.bundled import MODEL_NAME
from fakes.cluster import MODEL, Cluster


@pytest.fixture
async def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
async def address(cluster: Cluster) -> AsyncIterator[str]:
    async with TestServer(cluster.app()) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    path.write_bytes(b"GGUF and so on")
    return path


async def test_a_model_that_is_there_is_left_alone(address: str, cluster: Cluster, weights: Path) -> None:
    assert MODEL["name"] == MODEL_NAME
    async with first_prompt.connect(address, "") as http:
        await first_prompt.ensure_model(http, weights)
    assert [path for _, path, _ in cluster.asked] == ["/api/tags"]


async def test_a_model_that_is_absent_is_uploaded_and_created(address: str, cluster: Cluster, weights: Path) -> None:
    cluster.models = []
    async with first_prompt.connect(address, "corral_key") as http:
        await first_prompt.ensure_model(http, weights)
    digest = "sha256:" + hashlib.sha256(weights.read_bytes()).hexdigest()
    assert cluster.blobs == {digest: weights.read_bytes()}
    _, path, body = cluster.asked[-1]
    assert (path, body["model"], body["files"]) == ("/api/create", MODEL_NAME, {"small.gguf": digest})
    assert "Apache License" in body["license"]
    assert cluster.authorization == "Bearer corral_key"


async def test_the_first_reply_is_printed_as_it_comes(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with first_prompt.connect(address, "") as http:
        await first_prompt.ask(http)
    assert capsys.readouterr().out.splitlines() == ["", f">>> {first_prompt.PROMPT}", "Hello"]


async def test_a_refusal_carries_the_clusters_own_text(address: str, cluster: Cluster, weights: Path) -> None:
    cluster.refusal = "this key may not do that"
    async with first_prompt.connect(address, "") as http:
        with pytest.raises(ApiError, match="this key may not do that"):
            await first_prompt.ensure_model(http, weights)


def test_the_closing_words_name_the_address_that_was_chosen() -> None:
    text = first_prompt.how_to_go_on("http://127.0.0.1:9000")
    assert "curl http://127.0.0.1:9000/api/chat" in text
    assert "OLLAMA_HOST=127.0.0.1:9000" in text
    assert "http://127.0.0.1:9000/v1" in text


async def test_a_reply_with_a_line_separator_in_it_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    events = [{"message": {"content": "one\u2028two"}}, {"message": {"content": "\u0085three"}, "done": True}]
    content = "\n".join(json.dumps(event, ensure_ascii=False) for event in events).encode()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    async with httpx.AsyncClient(base_url="http://cluster", transport=transport) as http:
        await first_prompt.ask(http)
    assert capsys.readouterr().out.endswith("one\u2028two\u0085three\n")
