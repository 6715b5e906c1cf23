"""The first minute with a new cluster: bring in the bundled model, ask it something, say how to go on."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import httpx

from corral.building import file_digest
from corral.client import Events, Json, parsed, raise_for_refusal
from corral.terminal import Display, display
from corral.up.bundled import MODEL_LICENSE, MODEL_NAME

PROMPT: Final = "Name three animals that live on a farm."
REPLY_TOKENS_MAX: Final = 80
UPLOAD_CHUNK_BYTES: Final = 1 << 20
CONNECT_TIMEOUT_S: Final = 10.0


def connect(url: str, api_key: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout, trust_env=False)


async def ensure_model(http: httpx.AsyncClient, weights: Path) -> None:
    """Make the bundled model one of the cluster's, unless it already is.

    Raises: ApiError, httpx.HTTPError.
    """
    response = await http.get("/api/tags")
    raise_for_refusal(response)
    if any(model["name"] == MODEL_NAME for model in parsed(response.content)["models"]):
        return
    with display() as shown:
        shown.step(f"  importing the bundled model as {MODEL_NAME}")
        digest = file_digest(weights, shown)
        await _upload(http, digest, weights, shown)
        body = {"model": MODEL_NAME, "files": {weights.name: digest}, "license": MODEL_LICENSE}
        async for event in _events(http, "/api/create", body):
            shown.step(f"  {event.get('status', '')}")


async def _upload(http: httpx.AsyncClient, digest: str, weights: Path, shown: Display) -> None:
    if (await http.head(f"/api/blobs/{digest}")).is_success:
        return
    size = _size(weights)
    chunks = _chunks(weights, lambda sent: shown.bar(f"  uploading {weights.name}", sent, size))
    raise_for_refusal(await http.post(f"/api/blobs/{digest}", content=chunks, headers={"Content-Length": str(size)}))


def _size(path: Path) -> int:
    return path.stat().st_size


async def _chunks(path: Path, on_progress: Callable[[int], None]) -> AsyncIterator[bytes]:
    sent = 0
    with path.open("rb") as file:
        while chunk := file.read(UPLOAD_CHUNK_BYTES):
            yield chunk
            sent += len(chunk)
            on_progress(sent)


async def _events(http: httpx.AsyncClient, path: str, body: Json) -> AsyncIterator[Json]:
    """The objects of an NDJSON reply. Raises: ApiError."""
    async with http.stream("POST", path, json=body) as response:
        if response.is_error:
            await response.aread()
            raise_for_refusal(response)
        events = Events()
        async for chunk in response.aiter_bytes():
            for event in events.of(chunk):
                yield event
        for event in events.last():
            yield event


async def ask(http: httpx.AsyncClient) -> None:
    """Send the first prompt and print the reply as it comes.

    Raises: ApiError, httpx.HTTPError.
    """
    print(f"\n>>> {PROMPT}", flush=True)
    body: dict[str, Any] = {
        "model": MODEL_NAME,
        "messages": [{"role": "user", "content": PROMPT}],
        "options": {"num_predict": REPLY_TOKENS_MAX, "temperature": 0},
    }
    async for event in _events(http, "/api/chat", body):
        sys.stdout.write(event.get("message", {}).get("content", ""))
        sys.stdout.flush()
    print(flush=True)


def how_to_go_on(url: str) -> str:
    """What the user can do now, ready to be copied."""
    request = json.dumps({"model": MODEL_NAME, "messages": [{"role": "user", "content": "Hello"}], "stream": False})
    host = url.removeprefix("http://")
    return "\n".join((
        "",
        f"Corral serves {url} (Ollama's API) and {url}/v1 (OpenAI's).",
        f"  curl {url}/api/chat -d '{request}'",
        f"  .venv/bin/corral run {MODEL_NAME}",
        f"  OLLAMA_HOST={host} ollama run {MODEL_NAME}",
        f"  OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY=any  (any OpenAI client)",
        "Ctrl-C stops the cluster.",
    ))  # fmt: skip
