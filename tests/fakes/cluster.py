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


class Cluster:
    """Answers as a gateway does and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.blobs: dict[str, bytes] = {}
        self.authorization = ""
        self.models = [MODEL]
        self.refusal = ""

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
        match request.method, request.path:
            case "GET", "/api/tags":
                return web.json_response({"models": self.models})
            case "GET", "/api/ps":
                return web.json_response({"models": [RUNNING]})
            case "POST", "/api/generate" if body.get("stream") is False:
                return web.json_response({"response": "", "done": True})
            case "POST", "/api/generate":
                return ndjson({"response": "Hel", "done": False}, {"response": "lo", "done": True, "eval_count": 2})
            case "POST", "/api/chat":
                return ndjson({"message": {"content": "Hel"}}, {"message": {"content": "lo"}, "done": True})
            case "POST", "/api/create" if body["model"] == "broken":
                return ndjson({"status": "parsing GGUF"}, {"error": "disk full"})
            case "POST", "/api/create":
                return ndjson({"status": "parsing GGUF"}, {"status": "success"})
            case "POST", "/api/keys":
                return web.json_response({**KEY, "key": "corral_secret"})
            case "GET", "/api/keys":
                return web.json_response({"keys": [KEY]})
        return web.Response()


def ndjson(*events: dict[str, Any]) -> web.Response:
    return web.Response(text="".join(json.dumps(event) + "\n" for event in events), content_type="application/x-ndjson")
