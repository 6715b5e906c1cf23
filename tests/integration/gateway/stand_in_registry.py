"""A registry in memory, as far as a gateway can tell: uploads in parts, ranges, addresses as it is told them."""

import asyncio
import hashlib
import json

from aiohttp import web
from multidict import CIMultiDict

from integration.gateway.ollama_server import MANIFEST_TYPE


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class StandInRegistry:
    """Keeps what it was sent. `/v2/slow/…` blobs stop after their first piece until `go_on` is set."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads: dict[str, bytearray] = {}
        self.received: list[tuple[str, str, CIMultiDict[str]]] = []
        self.upload_began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()

    def add_model(self, repository: str, *blobs: bytes) -> None:
        """A model whose last blob is its config."""
        self.blobs |= {digest_of(blob): blob for blob in blobs}
        *layers, config = [{"digest": digest_of(blob), "size": len(blob)} for blob in blobs]
        self.manifests[f"{repository}:latest"] = json.dumps({"config": config, "layers": layers}).encode()

    def app(self) -> web.Application:
        app = web.Application()
        blob = "/v2/{name:.+}/blobs/{digest:sha256:[0-9a-f]+}"
        app.router.add_get("/v2/", self._ping)
        app.router.add_get("/v2/slow/blobs/{digest}", self._slow)
        app.router.add_route("*", "/v2/{name:.+}/manifests/{tag}", self._manifest)
        app.router.add_get(blob, self._blob)
        app.router.add_post("/v2/{name:.+}/blobs/uploads/", self._begin)
        app.router.add_patch("/v2/{name:.+}/blobs/uploads/{id}", self._part)
        app.router.add_put("/v2/{name:.+}/blobs/uploads/{id}", self._end)
        app.router.add_post("/api/pull", self._pull)
        app.router.add_route("*", "/api/transfers{tail:.*}", self._transfers)
        return app

    def _note(self, request: web.Request) -> None:
        self.received.append((request.method, request.path_qs, request.headers.copy()))

    async def _ping(self, request: web.Request) -> web.Response:
        self._note(request)
        return web.json_response({}, headers={"Docker-Distribution-Api-Version": "registry/2.0"})

    async def _manifest(self, request: web.Request) -> web.Response:
        self._note(request)
        key = f"{request.match_info['name']}:{request.match_info['tag']}"
        if request.method == "PUT":
            self.manifests[key] = await request.read()
            return web.Response(status=201)
        if request.method == "DELETE":
            return web.Response(status=202 if self.manifests.pop(key, None) else 404)
        if key not in self.manifests:
            return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN", "message": key}]}, status=404)
        content = self.manifests[key]
        return web.Response(
            body=content, headers={"Content-Type": MANIFEST_TYPE, "Docker-Content-Digest": digest_of(content)}
        )

    async def _blob(self, request: web.Request) -> web.Response:
        self._note(request)
        content = self.blobs.get(request.match_info["digest"])
        if content is None:
            return web.Response(status=404)
        headers = {"Accept-Ranges": "bytes", "Location": request.path, "Content-Type": "application/octet-stream"}
        wanted = request.http_range
        if wanted.start is None:
            return web.Response(body=content, headers=headers)
        part = content[wanted]
        headers["Content-Range"] = f"bytes {wanted.start}-{wanted.start + len(part) - 1}/{len(content)}"
        return web.Response(status=206, body=part, headers=headers)

    async def _slow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "2000"})
        await response.prepare(request)
        await response.write(b"a" * 1000)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        await response.write(b"b" * 1000)
        return response

    async def _begin(self, request: web.Request) -> web.Response:
        self._note(request)
        upload_id = str(len(self.uploads))
        self.uploads[upload_id] = bytearray()
        return web.Response(status=202, headers={"Location": _address(request) + upload_id})

    async def _part(self, request: web.Request) -> web.Response:
        self._note(request)
        upload = self.uploads[request.match_info["id"]]
        try:
            async for chunk in request.content.iter_any():
                upload += chunk
                self.upload_began.set()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return web.Response(status=202, headers={"Location": _address(request), "Range": f"0-{len(upload) - 1}"})

    async def _end(self, request: web.Request) -> web.Response:
        self._note(request)
        content = bytes(self.uploads.pop(request.match_info["id"]))
        if digest_of(content) != request.query["digest"]:
            return web.Response(status=400)
        self.blobs[digest_of(content)] = content
        return web.Response(status=201, headers={"Docker-Content-Digest": digest_of(content)})

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        await response.write(b'{"status":"pulling manifest"}\n')
        await self.go_on.wait()
        await response.write(b'{"status":"success"}\n')
        return response

    async def _transfers(self, request: web.Request) -> web.Response:
        self._note(request)
        return web.json_response({"transfers": []})


def _address(request: web.Request) -> str:
    """The absolute address of this very path, as the client that was forwarded sees it."""
    return f"{request.headers['X-Forwarded-Proto']}://{request.headers['X-Forwarded-Host']}{request.path}"
