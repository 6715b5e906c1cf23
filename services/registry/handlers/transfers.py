"""Routes of pulls and pushes: start or join one, list them, cancel one. Parse, call, render."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from aiohttp import hdrs, web

from services.registry.transfers.progress import Progress
from services.registry.transfers.requests import parse_transfer
from services.registry.transfers.transfer import Transfer, TransferKind
from services.registry.transfers.transfers import Transfers
from shared.errors import CorralError, InternalError, TransferUnknown

_NDJSON: Final = {hdrs.CONTENT_TYPE: "application/x-ndjson"}


class TransferHandlers:
    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/api/pull", self.pull)
        app.router.add_post("/api/push", self.push)
        app.router.add_get("/api/transfers", self.running)
        app.router.add_delete("/api/transfers/{id}", self.cancel)

    async def pull(self, request: web.Request) -> web.StreamResponse:
        wanted = parse_transfer(TransferKind.PULL, await request.read())
        transfer = await self._transfers.pull(wanted.name, insecure=wanted.insecure)
        return await _answer(request, transfer, stream=wanted.stream)

    async def push(self, request: web.Request) -> web.StreamResponse:
        wanted = parse_transfer(TransferKind.PUSH, await request.read())
        transfer = await self._transfers.push(wanted.name, insecure=wanted.insecure)
        return await _answer(request, transfer, stream=wanted.stream)

    async def running(self, _request: web.Request) -> web.Response:
        return web.json_response({"transfers": [_row(transfer) for transfer in self._transfers.running()]})

    async def cancel(self, request: web.Request) -> web.Response:
        transfer_id = request.match_info["id"]
        if not await self._transfers.cancel(transfer_id):
            raise TransferUnknown(f"no transfer {transfer_id!r} is under way")
        return web.Response()


def _row(transfer: Transfer) -> dict[str, object]:
    state = transfer.state
    return {
        "id": transfer.id,
        "kind": transfer.kind,
        "model": transfer.name.short,
        "status": state.status,
        "total": state.total,
        "completed": state.completed,
    }


async def _answer(request: web.Request, transfer: Transfer, *, stream: bool) -> web.StreamResponse:
    """All events, or the last one. Until the first there is a status to say what is wrong; then it is 200, or 500."""
    async with contextlib.aclosing(transfer.follow()) as events:
        last = await anext(events)
        if stream:
            return await _stream(request, last, events)
        try:
            async for event in events:
                last = event
        except CorralError as error:
            raise InternalError(error.message) from error
    return web.Response(body=msgspec.json.encode(last), content_type="application/json")


async def _stream(request: web.Request, first: Progress, rest: AsyncIterator[Progress]) -> web.StreamResponse:
    response = web.StreamResponse(headers=_NDJSON)
    await response.prepare(request)
    try:
        await response.write(msgspec.json.encode(first) + b"\n")
        async for event in rest:
            await response.write(msgspec.json.encode(event) + b"\n")
    except CorralError as error:
        await response.write(json.dumps({"error": error.message}).encode() + b"\n")
    await response.write_eof()
    return response
