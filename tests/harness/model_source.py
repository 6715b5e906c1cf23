"""A registry to pull from that counts what it sends: the network's far end, and nothing of ours.

It keeps manifests and blobs in memory or in files, and can be slow, hold back, or send readers elsewhere.
"""

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping

from aiohttp import web
from aiohttp.test_utils import TestServer

from shared.digest import Digest, digest_of
from shared.manifest import CONFIG_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, MediaType

PIECE_BYTES = 64 << 10
CONFIG = b'{"model_format":"gguf","model_family":"llama","model_type":"2.6K","file_type":"F32"}'


class ModelSource:
    """`sent_bytes` counts per blob what was given to the network, `ranges` what was asked for, in order."""

    def __init__(self) -> None:
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[Digest, bytes] = {}
        self.manifest_requests: Counter[str] = Counter()
        self.sent_bytes: Counter[Digest] = Counter()
        self.ranges: list[tuple[Digest, int, int]] = []
        self.piece_pause_s = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.redirect_to = ""

    def add(self, reference: str, layers: Mapping[str, bytes]) -> bytes:
        """Keep a model `namespace/model:tag` with these layers; returns its manifest."""
        for content in (CONFIG, *layers.values()):
            self.blobs[digest_of(content)] = content
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_MEDIA_TYPE,
            "config": _described(CONFIG_MEDIA_TYPE, CONFIG),
            "layers": [_described(media_type, content) for media_type, content in layers.items()],
        }
        self.manifests[reference] = json.dumps(manifest).encode()
        return self.manifests[reference]

    def add_weights(self, reference: str, weights: bytes) -> Digest:
        """Keep a model that is nothing but these weights; returns their digest."""
        self.add(reference, {MediaType.MODEL: weights})
        return digest_of(weights)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Gives `host:port`."""
        app = web.Application()
        app.router.add_get("/v2/{name:.+?}/manifests/{tag}", self._manifest, allow_head=False)
        app.router.add_get("/v2/{name:.+?}/blobs/{digest}", self._blob)
        async with TestServer(app, host="127.0.0.1") as server:
            yield f"127.0.0.1:{server.port}"

    async def _manifest(self, request: web.Request) -> web.Response:
        reference = f"{request.match_info['name']}:{request.match_info['tag']}"
        self.manifest_requests[reference] += 1
        if reference not in self.manifests:
            return web.Response(status=404)
        return web.Response(body=self.manifests[reference])

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        digest = Digest(request.match_info["digest"])
        if digest not in self.blobs:
            return web.Response(status=404)
        if self.redirect_to and request.method == "GET":
            return web.Response(status=307, headers={"Location": f"{self.redirect_to}/{digest}"})
        content = self.blobs[digest]
        start, end = _range(request, len(content))
        status = 206 if "Range" in request.headers else 200
        headers = {"Content-Length": str(end - start)}
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
            self.ranges.append((digest, start, end))
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        if request.method == "GET":
            await self._send(response, digest, start, end)
        return response

    async def _send(self, response: web.StreamResponse, digest: Digest, start: int, end: int) -> None:
        for position in range(start, end, PIECE_BYTES):
            await self.open.wait()
            piece = self.blobs[digest][position : min(position + PIECE_BYTES, end)]
            await response.write(piece)
            self.sent_bytes[digest] += len(piece)
            await asyncio.sleep(self.piece_pause_s)


def _described(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _range(request: web.Request, size_bytes: int) -> tuple[int, int]:
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
    return (int(match[1]), min(int(match[2]) + 1, size_bytes)) if match else (0, size_bytes)
