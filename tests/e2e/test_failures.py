"""What breaks, breaks for one request at most: killed runners, broken input, clients that leave."""

import hashlib
import json
import time
from pathlib import Path

import httpx
import pytest

from harness.cluster import CONTEXT_TOKENS, MODEL, Cluster, wait_for_slots, worker_metric

LONG = {"temperature": 0, "num_predict": 2000}


def test_a_killed_runner_costs_one_stream_and_the_next_request_works(cluster: Cluster, http: httpx.Client) -> None:
    body = {"model": MODEL, "prompt": "Tell me a very long story.", "options": LONG}
    with http.stream("POST", "/api/generate", json=body) as response:
        lines = response.iter_lines()
        assert json.loads(next(lines))["done"] is False
        (runner,) = cluster.processes("services.worker.runner")
        runner.kill()
        last = json.loads(list(lines)[-1])
    assert last["error"].startswith("an error was encountered while running the model: ")
    started_s = time.monotonic()
    answer = http.post("/api/generate", json={**body, "stream": False, "options": {"num_predict": 4}})
    assert answer.status_code == 200
    assert answer.json()["eval_count"] == 4
    assert time.monotonic() - started_s < 5


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_slot(cluster: Cluster, http: httpx.Client, stream: bool) -> None:
    http.post("/api/generate", json={"model": MODEL})
    wait_for_slots(cluster, 0)
    body = {"model": MODEL, "prompt": "Tell me a very long story.", "options": LONG, "stream": stream}
    if stream:
        with http.stream("POST", "/api/generate", json=body) as response:
            lines = response.iter_lines()  # kept: httpx closes the response with its iterator
            next(lines)
            wait_for_slots(cluster, 1)
    else:
        with pytest.raises(httpx.ReadTimeout):
            http.post("/api/generate", json=body, timeout=1.0)
    wait_for_slots(cluster, 0)


def test_what_was_computed_for_a_client_that_leaves_is_counted(cluster: Cluster, http: httpx.Client) -> None:
    http.post("/api/generate", json={"model": MODEL})
    wait_for_slots(cluster, 0)
    before = worker_metric(cluster, "corral_worker_generated_tokens_total{")
    timed_count = worker_metric(cluster, "corral_worker_token_seconds_count{")
    body = {"model": MODEL, "prompt": "Tell me a very long story.", "options": LONG}
    with http.stream("POST", "/api/generate", json=body) as response:
        lines = response.iter_lines()
        shown = [next(lines) for _ in range(3)]
    wait_for_slots(cluster, 0)
    assert worker_metric(cluster, "corral_worker_generated_tokens_total{") >= before + len(shown)
    assert worker_metric(cluster, "corral_worker_token_seconds_count{") == timed_count, "nobody knows how long it took"


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/generate", {"model": "nobody", "prompt": "hi"}, 404, "model 'nobody' not found"),
        ("/api/generate", {"prompt": "hi"}, 404, "model '' not found"),
        ("/api/chat", {"messages": []}, 400, "model is required"),
        ("/api/chat", {"model": "../x", "messages": []}, 400, "invalid model name"),
        ("/api/show", {"model": "nobody"}, 404, "model 'nobody:latest' not found"),
        (
            "/api/chat",
            {"model": 7},
            400,
            "json: cannot unmarshal number into Go struct field ChatRequest.model of type string",
        ),
        (
            "/api/generate",
            {"model": MODEL, "prompt": "hi", "options": {"temperature": "hot"}},
            500,
            'option "temperature" must be of type float32',
        ),
        (
            "/api/chat",
            {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function"}]},
            400,
            f"registry.ollama.ai/library/{MODEL} does not support tools",
        ),
        ("/api/create", {"model": "x"}, 400, "neither 'from' or 'files' was specified"),
        ("/api/copy", {"source": "nobody", "destination": "x"}, 404, 'model "nobody" not found'),
    ],
)
def test_bad_requests_get_ollamas_own_words(
    http: httpx.Client, path: str, body: dict[str, object], status: int, error: str
) -> None:
    response = http.post(path, json=body)
    assert (response.status_code, response.json()) == (status, {"error": error})


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "missing request body"),
        (b"{", "unexpected EOF"),
        (b"x", "invalid character 'x' looking for beginning of value"),
        (b'{"model": "a",}', "invalid character '}' looking for beginning of object key string"),
    ],
)
def test_broken_json_gets_gos_own_words(http: httpx.Client, content: bytes, error: str) -> None:
    response = http.post("/api/generate", content=content)
    assert (response.status_code, response.json()) == (400, {"error": error})


def test_a_huge_body_is_refused_and_the_gateway_lives(http: httpx.Client) -> None:
    response = http.post("/api/generate", content=b'{"model":"' + b"x" * (65 << 20) + b'"}')
    assert response.status_code == 413
    assert http.get("/api/version").status_code == 200


def test_a_hostile_gguf_is_refused_and_the_store_is_unharmed(http: httpx.Client, model_file: Path) -> None:
    before = http.get("/api/tags").json()
    for content in (b"GGUF" + b"\xff" * 60, model_file.read_bytes()[:100_000], b"not a model"):
        digest = put_blob(http, content)
        response = http.post("/api/create", json={"model": "evil", "files": {"m.gguf": digest}, "stream": False})
        assert response.status_code == 400, response.text
        assert response.json()["error"]
    assert http.get("/api/tags").json() == before
    answer = http.post("/api/generate", json={"model": MODEL, "prompt": "hi", "options": {"num_predict": 1}})
    assert answer.status_code == 200


def put_blob(http: httpx.Client, content: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert http.post(f"/api/blobs/{digest}", content=content).status_code in {200, 201}
    return digest


def test_a_prompt_beyond_the_context_is_refused_with_the_numbers(http: httpx.Client) -> None:
    body = {"model": MODEL, "prompt": "word " * 600, "options": {"num_ctx": 256}, "stream": False}
    response = http.post("/api/generate", json={**body, "truncate": False, "shift": False})
    assert response.status_code == 400
    assert "256" in response.json()["error"]


def test_a_request_may_have_a_larger_context_than_the_default(http: httpx.Client) -> None:
    words = " ".join(f"w{number}" for number in range(CONTEXT_TOKENS // 2))
    body = {"model": MODEL, "prompt": words, "options": {"num_ctx": 4096, "num_predict": 2}, "stream": False}
    response = http.post("/api/generate", json=body)
    assert response.status_code == 200, response.text
    assert response.json()["prompt_eval_count"] > CONTEXT_TOKENS
