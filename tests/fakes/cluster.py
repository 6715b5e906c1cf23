"""A cluster as its HTTP clients see it: canned answers, and a memory of what it was asked."""

import json
from typing import Any

from aiohttp import web

MODEL = {
    "name": "smollm2:135m",
    "digest": "0123456789abcdef" * 4,
    "size": 98_400_000,
    "modified_at": "2020-01-01T00:00:00Z",
}
RUNNING = {**MODEL, "size_vram": 0, "context_length": 4096, "expires_at": "2318-01-01T00:00:00Z"}
KEY = {"id": "k1", "name": "ada", "role": "admin", "created_at": "2020-01-01T00:00:00Z"}
SMOKES = [
    {"at": "2020-01-01T00:00:00Z", "outcome": "ok", "total_s": 0.25, "tokens": 4, "worker": "w1"},
    {"at": "2020-01-01T00:05:00Z", "outcome": "failed", "total_s": 0.1, "worker": "w2", "error_code": "internal"},
]
SHOWN = {
    "system": "Be kind.",
    "details": {"parameter_size": "135M"},
    "model_info": {"general.architecture": "llama"},
    "tensors": [{"name": "token_embd.weight", "type": "F16", "shape": [64, 32]}],
}
TRANSFER: dict[str, Any] = {
    "id": "t1",
    "kind": "pull",
    "model": "llama3:latest",
    "status": "pulling 0123456789ab",
    "total": 2_000_000_000,
    "completed": 800_000_000,
}


def moved(verb: str) -> list[dict[str, Any]]:
    """The events of one blob on its way."""
    blob = {"status": f"{verb} 0123456789ab", "digest": f"sha256:{MODEL['digest']}", "total": 10}
    return [blob, {**blob, "completed": 5}, {**blob, "completed": 10}]


PULL = [
    {"status": "pulling manifest"},
    *moved("pulling"),
    {"status": "verifying sha256 digest"},
    {"status": "success"},
]


class Cluster:
    """Answers as a gateway does and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.blobs: dict[str, bytes] = {}
        self.authorization = ""
        self.models = [MODEL]
        self.refusal = ""
        self.unknown: set[str] = set()
        self.pulls_are_refused = False
        self.capabilities = ["completion"]

    def app(self) -> web.Application:
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("HEAD", "/api/blobs/{digest}", self.has_blob)
        app.router.add_post("/api/blobs/{digest}", self.take_blob)
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app

    async def has_blob(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if request.match_info["digest"] in self.blobs else 404)

    async def take_blob(self, request: web.Request) -> web.Response:
        self.blobs[request.match_info["digest"]] = await request.read()
        return web.Response(status=201)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        self.authorization = request.headers.get("Authorization", "")
        self.asked.append((request.method, request.path, body))
        if self.refusal:
            return web.json_response({"error": self.refusal}, status=403)
        if body.get("model") == "absent":
            return web.json_response({"error": "model 'absent' not found"}, status=404)
        if request.path == "/api/show" and body["model"] in self.unknown:
            return web.json_response({"error": f"model '{body['model']}' not found"}, status=404)
        if request.path == "/api/pull" and self.pulls_are_refused:
            return web.json_response({"error": "only admins may do that"}, status=403)
        match request.method, request.path:
            case "GET", "/api/tags":
                return web.json_response({"models": self.models})
            case "GET", "/api/ps":
                return web.json_response({"models": [RUNNING]})
            case "GET", "/api/smoke":
                return web.json_response({"models": [{"model": request.query.get("model", "a"), "smokes": SMOKES}]})
            case "POST", "/api/generate" if body.get("stream") is False:
                return web.json_response({"response": "", "done": True})
            case "POST", "/api/generate" if body.get("think"):
                return ndjson(
                    {"response": "", "thinking": "Let me", "done": False},
                    {"response": "", "thinking": " see.", "done": False},
                    {"response": "Hello", "done": True, "eval_count": 2},
                )
            case "POST", "/api/generate":
                return ndjson({"response": "Hel", "done": False}, {"response": "lo", "done": True, "eval_count": 2})
            case "POST", "/api/chat":
                return ndjson({"message": {"content": "Hel"}}, {"message": {"content": "lo"}, "done": True})
            case "POST", "/api/create" if body["model"] == "broken":
                return ndjson({"status": "parsing GGUF"}, {"error": "disk full"})
            case "POST", "/api/create":
                return ndjson({"status": "parsing GGUF"}, {"status": "success"})
            case "POST", "/api/show":
                return web.json_response({**SHOWN, "capabilities": self.capabilities})
            case "POST", "/api/pull" if body["model"] == "broken":
                return ndjson({"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"})
            case "POST", "/api/pull":
                self.unknown.discard(body.get("model") or "")
                return ndjson(*PULL)
            case "POST", "/api/push":
                return ndjson({"status": "retrieving manifest"}, *moved("pushing"), {"status": "success"})
            case "GET", "/api/transfers":
                return web.json_response({"transfers": [TRANSFER]})
            case "POST", "/api/keys":
                return web.json_response({**KEY, "key": "corral_secret"})
            case "GET", "/api/keys":
                return web.json_response({"keys": [KEY]})
        return web.Response()


def ndjson(*events: dict[str, Any]) -> web.Response:
    return web.Response(text="".join(json.dumps(event) + "\n" for event in events), content_type="application/x-ndjson")
