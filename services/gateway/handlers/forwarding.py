"""Requests passed on to the registry and its replies passed back, in pieces as they come, whatever their size.

A side that reads slowly slows the other down; a side that leaves ends the other's connection.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

import aiohttp
import structlog
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from services.gateway.handlers.serving import REQUEST_ID_HEADER, SERVED
from services.gateway.wire import NDJSON, ndjson_line
from shared.errors import Unavailable

log = structlog.get_logger("corral.gateway")

CUT_OFF: Final = b'{"error":"the registry went away; please try again"}'

_HOP_BY_HOP: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)
_NOT_PASSED_ON: Final = _HOP_BY_HOP | {
    *("host", "expect", "authorization", "x-api-key", "cookie", "origin", "forwarded", "x-request-id"),
    *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-prefix"),
}
_NOT_PASSED_BACK: Final = _HOP_BY_HOP | {"date", "server", "x-request-id"}
_OF_THE_BODY_AS_SENT: Final = frozenset({"content-encoding", "content-length"})
_NOT_ADDED: Final = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)


def passed_on(headers: Iterable[tuple[str, str]], *, body_was_read: bool = False) -> CIMultiDict[str]:
    """A client's headers for the registry: no credentials, and nothing about where it says it comes from.

    A body that was read is plain, so neither its coding nor its length is true any more.
    """
    return _without(CIMultiDict(headers), _NOT_PASSED_ON | (_OF_THE_BODY_AS_SENT if body_was_read else frozenset()))


def passed_back(headers: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    """The registry's headers for the client."""
    return _without(CIMultiDict(headers), _NOT_PASSED_BACK)


def _without(headers: CIMultiDict[str], dropped: frozenset[str]) -> CIMultiDict[str]:
    """Headers without the named ones and without those that `Connection` says are for one hop only."""
    for_this_hop = {name.strip().lower() for value in headers.getall(hdrs.CONNECTION, ()) for name in value.split(",")}
    gone = dropped | for_this_hop
    return CIMultiDict([(name, value) for name, value in headers.items() if name.lower() not in gone])


class Forwarder:
    """`session` belongs to the caller and keeps bodies as they come."""

    def __init__(self, session: aiohttp.ClientSession, registry_url: str) -> None:
        self._session = session
        self._registry_url = registry_url.rstrip("/")

    async def forward(self, request: web.Request, body: bytes | AsyncIterator[bytes] | None) -> web.StreamResponse:
        """Ask the registry the same and answer with what it says.

        Raises: Unavailable when the registry cannot be reached.
        """
        async with self.asked(request, request.path_qs, body) as upstream:
            return await pass_back(request, upstream, passed_back(upstream.headers.items()))

    @contextlib.asynccontextmanager
    async def asked(
        self,
        request: web.Request,
        path_and_query: str,
        body: bytes | AsyncIterator[bytes] | None,
        *,
        added: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The registry's reply, its body still to be read; leaving the block ends the exchange.

        Raises: Unavailable when the registry cannot be reached.
        """
        headers = passed_on(request.headers.items(), body_was_read=isinstance(body, bytes))
        headers[REQUEST_ID_HEADER] = request[SERVED].request_id
        headers.update(added or {})
        try:
            async with self._session.request(
                request.method,
                URL(self._registry_url + path_and_query, encoded=True),
                data=body,
                headers=headers,
                skip_auto_headers=_NOT_ADDED,
                allow_redirects=False,
            ) as upstream:
                yield upstream
        except aiohttp.ClientConnectionError as cause:
            raise Unavailable("the registry cannot be reached, please try again", retry_after_s=1.0) from cause


async def pass_back(
    request: web.Request, upstream: aiohttp.ClientResponse, headers: CIMultiDict[str]
) -> web.StreamResponse:
    """Answer `request` with these headers and the registry's status and body."""
    response = web.StreamResponse(status=upstream.status, headers=headers)
    await response.prepare(request)
    try:
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
    except ConnectionResetError:
        request[SERVED].outcome = "cancelled"
        return response
    except aiohttp.ClientError as cause:
        log.warning("registry_cut_off", route=request.path, cause=repr(cause))
        request[SERVED].outcome = "error"
        if upstream.content_type == NDJSON:
            await response.write(ndjson_line(CUT_OFF))
        elif request.transport is not None:
            # Only a broken connection tells the client that the body is not whole.
            request.transport.close()
            return response
    await response.write_eof()
    return response
