"""What surrounds every request: its id, the error in the caller's dialect, and one `request_served` line."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Final

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from services.gateway import metrics
from services.gateway.access import Principal
from services.gateway.body_coding import DECODED_BYTES_MAX, BodyDecoder, coding_of
from services.gateway.client_address import Network, client_address
from services.gateway.dialects import anthropic_reply, oci, openai_choices
from services.gateway.registry_access import Challenged
from shared.errors import CorralError, TooLarge
from shared.web import error_middleware, ollama_error, retry_headers, status_of

log = structlog.get_logger("corral.gateway")

REQUEST_ID_HEADER: Final = "X-Request-Id"
ANTHROPIC_VERSION_HEADER: Final = "anthropic-version"
"""Anthropic's clients send it with every request, and nobody else does."""

CLIENT_GONE_STATUS: Final = 499  # nginx's and Ollama's number for it; never sent
_QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Served:
    """What one request turned out to be; handlers fill it in for the log and the metrics."""

    def __init__(self, client: str | None) -> None:
        self.client = client
        self.request_id = uuid.uuid4().hex
        self.began_ns = time.perf_counter_ns()
        self.user: str | None = None
        self.model: str | None = None
        self.outcome: str | None = None
        self.prompt_tokens = 0
        self.generated_tokens = 0
        self.ttft_ms: float | None = None

    def elapsed_ns(self) -> int:
        return time.perf_counter_ns() - self.began_ns


SERVED: Final = web.RequestKey("served", Served)
PRINCIPAL: Final = web.RequestKey("principal", Principal)


def install(app: web.Application, *, trusted_proxies: Sequence[Network]) -> None:
    """Number, log and measure every request, and turn errors into replies: the outermost layers."""
    app.middlewares.extend([_serving_middleware(trusted_proxies), error_middleware(render_error)])
    app.on_response_prepare.append(_add_request_id)


async def read_body(request: web.Request) -> bytes:
    """The body of a JSON request, decompressed where it came compressed.

    Raises: TooLarge, before reading where the length is announced; CodingUnsupported, ParameterInvalid.
    """
    limit = request.client_max_size
    if request.content_length is not None and request.content_length > limit:
        raise TooLarge(f"the request body has {request.content_length} bytes; at most {limit} are accepted")
    coding = coding_of(request.headers.get(hdrs.CONTENT_ENCODING, ""))
    if coding is not None:
        return await _read_coded(request, BodyDecoder(coding, bytes_max=min(limit, DECODED_BYTES_MAX)))
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as cause:
        raise TooLarge(f"the request body has more than the {limit} bytes that are accepted") from cause


async def _read_coded(request: web.Request, decoder: BodyDecoder) -> bytes:
    async for piece in request.content.iter_any():
        decoder.feed(piece)
    return decoder.whole()


def render_error(request: web.Request, error: CorralError) -> web.Response:
    """The error in the dialect of the route it happened on."""
    if request.path.startswith("/v2/"):
        return _registry_error(error)
    if not request.path.startswith("/v1/"):
        return ollama_error(request, error)
    if is_anthropic(request):
        envelope = anthropic_reply.error_envelope(error.info(), request[SERVED].request_id)
    else:
        envelope = openai_choices.error_envelope(error.info())
    return web.json_response(envelope, status=status_of(error), headers=retry_headers(error))


def is_anthropic(request: web.Request) -> bool:
    """Whether the caller speaks Anthropic's dialect: on its own routes, and by its header on shared ones."""
    if request.path == "/v1/messages" or request.path.startswith("/v1/messages/"):
        return True
    return request.path.startswith("/v1/models") and ANTHROPIC_VERSION_HEADER in request.headers


def _registry_error(error: CorralError) -> web.Response:
    headers = {**oci.API_VERSION_HEADER, **retry_headers(error)}
    if isinstance(error, Challenged):
        headers[hdrs.WWW_AUTHENTICATE] = error.challenge
    return web.json_response(oci.error_body(error.info()), status=status_of(error), headers=headers)


def route_of(request: web.Request) -> str | None:
    """The pattern that the request's path matches; it never holds what a client wrote."""
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical


def _serving_middleware(trusted_proxies: Sequence[Network]) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        forwarded_for = ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, ()))
        served = Served(client_address(request.remote, forwarded_for, trusted_proxies))
        request[SERVED] = served
        status = 500
        with structlog.contextvars.bound_contextvars(request_id=served.request_id):
            try:
                response = await handler(request)
                status = response.status
                return response
            except web.HTTPException as exception:
                status = exception.status
                raise
            except asyncio.CancelledError:
                status, served.outcome = CLIENT_GONE_STATUS, "cancelled"
                raise
            finally:
                _report(request, served, status)

    return middleware


def _report(request: web.Request, served: Served, status: int) -> None:
    route = route_of(request) or "unknown"
    outcome = served.outcome or ("ok" if status < 400 else "refused" if status < 500 else "error")
    duration_s = served.elapsed_ns() / 1e9
    metrics.REQUEST_SECONDS.labels(route=route, outcome=outcome).observe(duration_s)
    write = log.debug if route in _QUIET_ROUTES else log.info
    write(
        "request_served",
        method=request.method,
        route=route,
        status=status,
        client=served.client,
        user=served.user,
        model=served.model,
        outcome=outcome,
        prompt_tokens=served.prompt_tokens,
        generated_tokens=served.generated_tokens,
        ttft_ms=served.ttft_ms,
        duration_ms=round(duration_s * 1000, 3),
    )


async def _add_request_id(request: web.Request, response: web.StreamResponse) -> None:
    served = request.get(SERVED)
    if served is not None:
        response.headers[REQUEST_ID_HEADER] = served.request_id
        if is_anthropic(request):
            response.headers[anthropic_reply.REQUEST_ID_HEADER] = anthropic_reply.request_id_of(served.request_id)
