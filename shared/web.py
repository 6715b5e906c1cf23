"""What every HTTP service shares: error statuses, ops routes, the server's life. Business routes are in `handlers/`."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from shared import metrics
from shared.errors import CorralError, InternalError, Kind, TooLarge

log = structlog.get_logger("corral.web")

STATUS_OF_KIND: Final = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED_MEDIA: 415,
    Kind.RATE_LIMITED: 429,
    Kind.INTERNAL: 500,
    Kind.UNAVAILABLE: 503,
    Kind.DEADLINE: 504,
}

RenderError = Callable[[web.Request, CorralError], web.Response]
IsReady = Callable[[], str | None]
"""Why a service is not ready, or None. It tells what is known already and asks nobody, so it can hang on nobody."""


class Drain:
    """The time between the signal to stop and the end of the listener: `/readyz` says so, and the `steps` are taken."""

    def __init__(self) -> None:
        self.has_begun = False
        self.steps: list[Callable[[], Awaitable[None]]] = []

    async def run(self) -> None:
        self.has_begun = True
        for step in self.steps:
            await step()


DRAIN: Final = web.AppKey("drain", Drain)


def status_of(error: CorralError) -> int:
    return STATUS_OF_KIND[error.kind]


def retry_headers(error: CorralError) -> dict[str, str]:
    """`Retry-After` in whole seconds, where the error knows when trying again makes sense."""
    if error.retry_after_s is None:
        return {}
    return {hdrs.RETRY_AFTER: str(max(1, round(error.retry_after_s)))}


def ollama_error(_request: web.Request, error: CorralError) -> web.Response:
    """The error as Ollama's API shows it: exactly `{"error": text}`."""
    return web.json_response({"error": error.message}, status=status_of(error), headers=retry_headers(error))


def error_middleware(render: RenderError) -> Middleware:
    """Turn every failure of a handler into the caller's dialect; unknown routes and methods answer as Ollama's do."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except CorralError as error:
            return render(request, error)
        except web.HTTPNotFound:
            return web.Response(status=404, text="404 page not found")
        except web.HTTPMethodNotAllowed:
            return web.Response(status=405, text="405 method not allowed")
        except web.HTTPRequestEntityTooLarge:
            return render(request, TooLarge("http: request body too large"))
        except web.HTTPException:
            raise
        except Exception:
            log.exception("handler_failed", route=request.path)
            return render(request, InternalError("internal error; the server's log has the details"))

    return middleware


def add_ops_routes(app: web.Application, is_ready: IsReady) -> None:
    """Add `/healthz` (alive), `/readyz` (200, or 503 with the reason) and `/metrics`; and the app's `Drain`."""
    drain = app[DRAIN] = Drain()

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_request: web.Request) -> web.Response:
        reason = "draining" if drain.has_begun else is_ready()
        return web.Response(text="ready") if reason is None else web.Response(status=503, text=reason)

    async def metrics_page(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={hdrs.CONTENT_TYPE: "text/plain; version=0.0.4"})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics_page)


async def serve(app: web.Application, *, host: str, port: int, drain_s: float) -> None:
    """Serve until SIGTERM or SIGINT, drain, stop listening, let open requests end within `drain_s`, and clean up."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopping.set)
    # Without handler_cancellation a client's disconnect goes unnoticed until the next write.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=drain_s)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        log.info("server_started", host=host, port=port)
        await stopping.wait()
        log.info("drain_started", drain_s=drain_s)
        await app[DRAIN].run()
    finally:
        await runner.cleanup()
        log.info("server_stopped")
