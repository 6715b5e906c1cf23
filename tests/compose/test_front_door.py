"""What a team meets: one HTTPS address that answers those who have a key."""

import re

import httpx
import ollama
import openai

from harness.compose import Stack

OPEN_PATHS = ("/", "/api/version", "/openapi.json", "/v2/token")
HIDDEN_PATHS = ("/metrics", "/healthz", "/readyz")


def test_an_answer_streams_to_ollamas_library(stack: Stack, model: str, key: str) -> None:
    client = ollama.Client(host=stack.url, headers={"Authorization": f"Bearer {key}"}, verify=stack.trust())
    parts = list(
        client.chat(
            model,
            [{"role": "user", "content": "Tell me about the sea."}],
            stream=True,
            options={"num_predict": 48, "temperature": 0},
        )
    )
    client.close()  # type: ignore[no-untyped-call]
    assert parts[-1].done
    assert len([part for part in parts if part.message.content]) > 2


def test_an_answer_streams_to_openais_library(stack: Stack, model: str, key: str) -> None:
    with openai.DefaultHttpxClient(verify=stack.trust()) as http:
        client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=key, http_client=http)
        stream = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "Tell me about the sea."}],
            stream=True,
            max_tokens=48,
            temperature=0,
        )
        assert len([chunk for chunk in stream if chunk.choices and chunk.choices[0].delta.content]) > 2


def test_every_route_that_needs_a_key_refuses_whoever_has_none(stack: Stack) -> None:
    with httpx.Client(base_url=stack.url, verify=stack.trust(), timeout=30) as http:
        paths = http.get("/openapi.json").json()["paths"]
        asked = {(method, re.sub(r"\{[^}]*\}", "x", path)) for path, methods in paths.items() for method in methods}
        closed = {(method, path) for method, path in asked if path not in (*OPEN_PATHS, *HIDDEN_PATHS)}
        for headers in ({}, {"Authorization": "Bearer corral_wrong"}):
            answers = {route: http.request(*route, json={}, headers=headers).status_code for route in closed}
            # 403 without a key at /api/: a 401 would make Ollama's command line ask for a sign-in elsewhere.
            assert {route: status for route, status in answers.items() if status not in (401, 403)} == {}
    assert len(closed) > 40


def test_a_users_key_manages_nothing(stack: Stack, key: str) -> None:
    with httpx.Client(base_url=stack.url, verify=stack.trust(), headers={"Authorization": f"Bearer {key}"}) as http:
        assert http.post("/api/pull", json={"model": "x"}).status_code == 403
        assert http.get("/api/keys").status_code == 403
        assert http.request("DELETE", "/api/delete", json={"model": "x"}).status_code == 403


def test_internal_routes_are_unreachable_even_for_the_admin(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.secret('admin_key')}"}
    with httpx.Client(base_url=stack.url, verify=stack.trust(), headers=headers) as http:
        paths = (*HIDDEN_PATHS, "/internal/blobs/sha256:00", "/grafana/metrics")
        assert {path: http.get(path).status_code for path in paths} == dict.fromkeys(paths, 404)


def test_plain_http_only_leads_to_https(stack: Stack) -> None:
    port = re.search(r"CORRAL_HTTP_PORT=(\d+)", (stack.folder / ".env").read_text(encoding="utf-8"))
    assert port is not None
    reply = httpx.get(f"http://localhost:{port[1]}/api/tags")
    assert (reply.status_code, reply.headers["location"]) == (308, f"{stack.url}/api/tags")


def test_the_clients_address_reaches_the_gateways_log(stack: Stack, model: str, key: str) -> None:
    httpx.get(f"{stack.url}/api/tags", verify=stack.trust(), headers={"Authorization": f"Bearer {key}"})
    network = stack.folder.joinpath("compose.yaml").read_text(encoding="utf-8")
    gateway_of_network = re.search(r"CORRAL_EDGE_SUBNET:-(\d+\.\d+\.\d+)\.0/24", network)
    assert gateway_of_network is not None
    served = [line for line in stack.compose("logs", "gateway").splitlines() if '"/api/tags"' in line]
    # Docker's own proxy is what connects to the published port, from the network's first address.
    assert f'"client": "{gateway_of_network[1]}.1"' in served[-1]
