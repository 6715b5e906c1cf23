"""Request bodies that are too large or too slow to be read at once."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from services.registry import metrics
from shared.errors import DeadlineExceeded, TooLarge


async def received(request: web.Request, *, idle_s: float) -> AsyncIterator[bytes]:
    """The body as it arrives. An upload may take hours, but not silently.

    Raises: DeadlineExceeded.
    """
    try:
        while True:
            async with asyncio.timeout(idle_s):
                chunk = await request.content.readany()
            if not chunk:
                return
            metrics.TRANSFER_BYTES.labels(direction="received").inc(len(chunk))
            yield chunk
    except TimeoutError as cause:
        raise DeadlineExceeded(f"the upload stood still for {idle_s:g} seconds") from cause


async def read_whole(request: web.Request, *, idle_s: float, bytes_max: int) -> bytes:
    """The body in memory.

    Raises: TooLarge, DeadlineExceeded.
    """
    content = bytearray()
    async for chunk in received(request, idle_s=idle_s):
        content += chunk
        if len(content) > bytes_max:
            raise TooLarge(f"the body is larger than {bytes_max} bytes")
    return bytes(content)
