"""Routes of models: list, show, create, copy, delete. Parse, call, render."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Final

import msgspec
import structlog
from aiohttp import hdrs, web

from services.registry import metrics
from services.registry.building.builder import Builder
from services.registry.building.request import parse_create
from services.registry.catalog import Catalog
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore
from services.registry.publishing import on_thread
from services.registry.requests import parse_copy, parse_delete, parse_show
from services.registry.transfers.progress import Progress
from shared.errors import CorralError, ModelUnknown

log = structlog.get_logger("corral.registry")

_COPILOT: Final = "GitHubCopilotChat/"
"""A client that shows a model under its base name, and means the name it asked for."""

_NDJSON: Final = {hdrs.CONTENT_TYPE: "application/x-ndjson"}


class ModelHandlers:
    def __init__(self, manifests: ManifestStore, catalog: Catalog, library: ModelLibrary, builder: Builder) -> None:
        self._manifests = manifests
        self._catalog = catalog
        self._library = library
        self._builder = builder

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/tags", self.tags)
        app.router.add_post("/api/show", self.show)
        app.router.add_post("/api/create", self.create)
        app.router.add_post("/api/copy", self.copy)
        app.router.add_delete("/api/delete", self.delete)

    async def tags(self, _request: web.Request) -> web.Response:
        return web.json_response({"models": await on_thread(self._catalog.rows)})

    async def show(self, request: web.Request) -> web.Response:
        wanted = parse_show(await request.read())
        wanted_by_copilot = request.headers.get(hdrs.USER_AGENT, "").startswith(_COPILOT)

        def reply() -> str:
            basename = wanted.name_text if wanted_by_copilot else ""
            return json.dumps(
                self._catalog.show(wanted.name, wanted.changes, verbose=wanted.verbose, basename=basename)
            )

        return web.json_response(text=await on_thread(reply))

    async def copy(self, request: web.Request) -> web.Response:
        wanted = parse_copy(await request.read())
        source = await on_thread(self._manifests.resolve, wanted.source)
        destination = await on_thread(self._manifests.resolve, wanted.destination)
        try:
            await self._library.copy(source, destination)
        except ModelUnknown as cause:
            raise ModelUnknown(f'model "{wanted.source_text}" not found') from cause
        return web.Response()

    async def delete(self, request: web.Request) -> web.Response:
        wanted = parse_delete(await request.read())
        name = await on_thread(self._manifests.resolve, wanted.name)
        try:
            await self._library.delete(name)
        except ModelUnknown as cause:
            raise ModelUnknown(f"model '{wanted.name_text}' not found") from cause
        return web.Response()

    async def create(self, request: web.Request) -> web.StreamResponse:
        wanted = parse_create(await request.read())
        async with contextlib.aclosing(self._builder.create(wanted)) as steps:
            try:
                # Everything that can be wrong with the request shows before the first step, while there is a status.
                first = await anext(steps)
                if wanted.stream:
                    return await _stream_steps(request, first, steps)
                *_, last = [first, *[step async for step in steps]]
            except CorralError as error:
                metrics.BUILDS.labels(outcome=error.code).inc()
                raise
        metrics.BUILDS.labels(outcome="created").inc()
        return web.Response(body=msgspec.json.encode(last), content_type="application/json")


async def _stream_steps(request: web.Request, first: Progress, rest: AsyncIterator[Progress]) -> web.StreamResponse:
    response = web.StreamResponse(headers=_NDJSON)
    await response.prepare(request)
    try:
        await response.write(_line(first))
        async for step in rest:
            await response.write(_line(step))
        metrics.BUILDS.labels(outcome="created").inc()
    except CorralError as error:
        metrics.BUILDS.labels(outcome=error.code).inc()
        await response.write(_line({"error": error.message}))
    except ConnectionError:
        raise
    except OSError:
        # The disk failed; the status line has gone, so the middleware cannot say it.
        log.exception("build_failed")
        metrics.BUILDS.labels(outcome="internal").inc()
        await response.write(_line({"error": "internal error; the server's log has the details"}))
    await response.write_eof()
    return response


def _line(event: Progress | dict[str, str]) -> bytes:
    return msgspec.json.encode(event) + b"\n"
