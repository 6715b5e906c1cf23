"""Whether a service answers yet: HTTP `/readyz`, or a PING on a Unix socket."""

import asyncio
from collections.abc import Callable
from typing import Final

import httpx

from corral.up.plan import Service

PROBE_EVERY_S: Final = 0.1
PROBE_TIMEOUT_S: Final = 2.0
NO_ANSWER: Final = "no answer yet"


async def probe(service: Service) -> str:
    """Empty when the service is ready, else why not."""
    try:
        if service.ready_socket:
            return await asyncio.wait_for(_ping(service.ready_socket), PROBE_TIMEOUT_S)
        return await _readyz(service.ready_url)
    except (OSError, TimeoutError, httpx.HTTPError):
        return NO_ANSWER


async def _ping(path: str) -> str:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(b"PING\r\n")
        reply = await reader.readline()
    finally:
        writer.close()
    return "" if reply == b"+PONG\r\n" else reply.decode(errors="replace").strip()


async def _readyz(url: str) -> str:
    # trust_env off: a proxy of the environment has no business on loopback.
    async with httpx.AsyncClient(timeout=PROBE_TIMEOUT_S, trust_env=False) as client:
        response = await client.get(url)
    return "" if response.is_success else response.text.strip() or str(response.status_code)


async def until_ready(service: Service, on_wait: Callable[[str], None]) -> None:
    """Return when the service is ready; `on_wait` hears each new reason why it is not, silence aside."""
    told = NO_ANSWER
    while reason := await probe(service):
        if reason not in (NO_ANSWER, told):
            on_wait(reason)
            told = reason
        await asyncio.sleep(PROBE_EVERY_S)
