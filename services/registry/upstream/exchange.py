"""One HTTP request to another registry: where it may go, what goes along, how it may fail; not what it is for."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping
from typing import Final

import aiohttp
from yarl import URL

from services.registry.upstream.policy import UpstreamPolicy
from services.registry.upstream.redirects import REDIRECT_STATUSES, REDIRECTS_MAX, next_url, same_origin, shown
from shared.errors import CorralError, UpstreamFailed, UpstreamRefused, UpstreamUnknown

ERROR_BYTES_MAX: Final = 1024
"""How much of an error's body becomes part of our message."""

LATER_STATUSES: Final = frozenset({408, 425, 429})
"""Statuses below 500 that say: not now."""

Body = Callable[[], AsyncIterable[bytes]]
"""Makes the body anew for every try. Its length is in the headers."""


class Exchange:
    """Sends requests; the session belongs to the caller. Answers must be released."""

    def __init__(
        self, session: aiohttp.ClientSession, policy: UpstreamPolicy, *, connect_s: float, stall_s: float
    ) -> None:
        self._session = session
        self._policy = policy
        self._connect_s = connect_s
        self._stall_s = stall_s

    async def send(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        *,
        body: Body | None = None,
        extra_wait_s: float = 0.0,
    ) -> aiohttp.ClientResponse:
        """Send one request, and wait `extra_wait_s` longer than for others for the answer to begin.

        Raises: UpstreamForbidden, UpstreamFailed.
        """
        self._policy.check_url(url)
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._connect_s, sock_read=self._stall_s + extra_wait_s
        )
        with failures(method, url):
            if body is None:
                return await self._session.request(method, url, headers=headers, allow_redirects=False, timeout=timeout)
            async with asyncio.timeout(self._connect_s + self._stall_s) as silence:
                content = _watched(body(), silence, self._stall_s)
                return await self._session.request(
                    method, url, headers=headers, data=content, allow_redirects=False, timeout=timeout
                )

    async def follow(
        self, method: str, url: URL, headers: Mapping[str, str], *, authorization: str | None = None
    ) -> aiohttp.ClientResponse:
        """Send and follow redirects; `authorization` stays with the server it is for.

        Raises: UpstreamForbidden, UpstreamFailed.
        """
        here = url
        for _ in range(REDIRECTS_MAX + 1):
            own = {"Authorization": authorization} if authorization and same_origin(here, url) else {}
            response = await self.send(method, here, {**headers, **own})
            if response.status not in REDIRECT_STATUSES:
                return response
            response.release()
            here = next_url(here, response.headers.get("Location"))
        raise UpstreamFailed(f'{method.capitalize()} "{shown(url)}": stopped after {REDIRECTS_MAX} redirects')


async def _watched(content: AsyncIterable[bytes], silence: asyncio.Timeout, stall_s: float) -> AsyncIterator[bytes]:
    """The body; every piece that is taken starts `silence` anew, and the last leaves the rest to the read timeout."""
    async for piece in content:
        yield piece
        with contextlib.suppress(RuntimeError):  # the answer came early, nobody waits for the body any more
            silence.reschedule(asyncio.get_running_loop().time() + stall_s)
    with contextlib.suppress(RuntimeError):
        silence.reschedule(None)


@contextlib.contextmanager
def failures(method: str, url: URL) -> Iterator[None]:
    """Around one wait for the network: what goes wrong there becomes an UpstreamFailed with Go's form of message."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as cause:
        raise UpstreamFailed(f'{method.capitalize()} "{shown(url)}": {_reason(cause)}') from cause


def _reason(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"lookup {error.host}: no such host"
        case aiohttp.ClientConnectorCertificateError():
            return f"tls: failed to verify certificate: {error.certificate_error}"
        case aiohttp.ClientSSLError():
            return f"tls: {error.os_error}"
        case TimeoutError():
            return f"timeout: {error}" if str(error) else "timeout"
        case OSError(errno=int(number)):
            return os.strerror(number).lower()
        case _:
            return str(error) or type(error).__name__


async def read_at_most(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    """The body.

    Raises: UpstreamFailed when it is longer, or breaks off.
    """
    content = bytearray()
    with failures(response.method, response.url):
        while chunk := await response.content.read(bytes_max + 1 - len(content)):
            content += chunk
            if len(content) > bytes_max:
                raise UpstreamFailed(f"the registry's answer is longer than {bytes_max} bytes")
    return bytes(content)


async def refusal(response: aiohttp.ClientResponse) -> CorralError:
    """The error that an answer of 400 or more is, in Ollama's words; redirects that nobody follows are one too."""
    if response.status == 404:
        return UpstreamUnknown()
    content = bytearray()
    with contextlib.suppress(UpstreamFailed), failures(response.method, response.url):
        while len(content) < ERROR_BYTES_MAX and (chunk := await response.content.read(ERROR_BYTES_MAX)):
            content += chunk
    text = f"{response.status}: {content[:ERROR_BYTES_MAX].decode(errors='replace').strip()}"
    if response.status >= 500 or response.status in LATER_STATUSES:
        return UpstreamFailed(text)
    return UpstreamRefused(text)
