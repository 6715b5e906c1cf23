"""Another registry, as its standards describe it, that can be told to misbehave; and the storage it sends clients to.

Source: OCI distribution specification; CNCF distribution `spec/auth/token`.
"""

import re
import secrets
from typing import NamedTuple

from aiohttp import web

from shared.digest import digest_of


class Seen(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    authorization: str | None
    content_range: str | None


class ForeignRegistry:
    """With `realm` it wants a bearer token it has in `tokens`; with `storage` it sends readers of blobs there."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads: dict[str, bytearray] = {}
        self.seen: list[Seen] = []
        self.realm = ""
        self.tokens: set[str] = set()
        self.challenge = ""
        self.storage: Storage | None = None
        self.refusals: list[tuple[int, str]] = []
        """Statuses and texts that the next requests get, whatever they are."""

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/v2/{name:.+?}/{kind:manifests|blobs}/{rest:.+}", self._answer)
        return app

    def requests(self, method: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = request.headers
        self.seen.append(Seen(request.method, request.path, headers.get("Authorization"), headers.get("Content-Range")))
        if self.refusals:
            status, text = self.refusals.pop(0)
            return web.Response(status=status, text=text)
        if challenge := self._challenge(request):
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        kind, rest = request.match_info["kind"], request.match_info["rest"]
        if kind == "manifests":
            return await self._manifest(request, rest)
        return await self._upload(request, rest) if rest.startswith("uploads/") else self._blob(request, rest)

    def _challenge(self, request: web.Request) -> str:
        if self.challenge:
            return self.challenge
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self.realm or token in self.tokens:
            return ""
        actions = "pull" if request.method in ("GET", "HEAD") else "pull,push"
        scope = f"repository:{request.match_info['name']}:{actions}"
        return f'Bearer realm="{self.realm}",service="foreign",scope="{scope}"'

    async def _manifest(self, request: web.Request, reference: str) -> web.Response:
        if request.method == "PUT":
            self.manifests[reference] = await request.read()
            return web.Response(status=201)
        if reference not in self.manifests:
            return web.Response(status=404)
        return web.Response(body=self.manifests[reference])

    def _blob(self, request: web.Request, digest: str) -> web.Response:
        if digest not in self.blobs:
            return web.Response(status=404)
        if self.storage is not None and request.method == "GET":
            return web.Response(status=307, headers={"Location": self.storage.signed_url(digest)})
        return ranged(request, self.blobs[digest])

    async def _upload(self, request: web.Request, rest: str) -> web.Response:
        name = rest.removeprefix("uploads/")
        if request.method == "POST":
            if request.query.get("mount") in self.blobs:
                return web.Response(status=201)
            name = secrets.token_hex(8)
            self.uploads[name] = bytearray()
        elif name not in self.uploads:
            return web.Response(status=404)
        upload = self.uploads[name]
        if request.method == "PATCH":
            if int(request.headers["Content-Range"].split("-")[0]) != len(upload):
                return web.Response(status=416)
            async for piece in request.content.iter_any():
                upload += piece
        if request.method == "PUT":
            if digest_of(bytes(upload)) != request.query["digest"]:
                return web.Response(status=400, text="digest invalid")
            self.blobs[request.query["digest"]] = bytes(self.uploads.pop(name))
            return web.Response(status=201)
        headers = {"Location": f"/v2/a/b/blobs/uploads/{name}?_state=x%2By", "Range": f"0-{max(len(upload) - 1, 0)}"}
        return web.Response(status=204 if request.method == "GET" else 202, headers=headers)


class Storage:
    """What a registry's redirects lead to: reads need a signature, and `expire` ends those given so far."""

    def __init__(self, registry: ForeignRegistry) -> None:
        self._registry = registry
        self._signatures: set[str] = set()
        self.url = ""
        self.seen: list[Seen] = []
        self.expired_status = 403
        self.answer = "right"
        """Else `whole`, `other`, `unranged` or `encoded`: what is sent instead of the range asked for."""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{digest}", self._read)
        return app

    def signed_url(self, digest: str) -> str:
        signature = secrets.token_hex(8)
        self._signatures.add(signature)
        return f"{self.url}/{digest}?signature={signature}"

    def expire(self) -> None:
        self._signatures.clear()

    async def _read(self, request: web.Request) -> web.Response:
        self.seen.append(Seen(request.method, request.path, request.headers.get("Authorization"), None))
        if request.query.get("signature") not in self._signatures:
            return web.Response(status=self.expired_status)
        content = self._registry.blobs[request.match_info["digest"]]
        answered = ranged(request, content)
        if self.answer == "whole":
            return web.Response(body=content)
        if self.answer == "other":
            answered.headers["Content-Range"] = f"bytes 0-1/{len(content)}"
        if self.answer == "unranged":
            del answered.headers["Content-Range"]
        if self.answer == "encoded":
            answered.headers["Content-Encoding"] = "gzip"
        return answered


def ranged(request: web.Request, content: bytes) -> web.Response:
    """The part asked for, or everything."""
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
    if match is None:
        return web.Response(body=content)
    start, end = int(match[1]), min(int(match[2]) + 1, len(content))
    headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"}
    return web.Response(status=206, body=content[start:end], headers=headers)
