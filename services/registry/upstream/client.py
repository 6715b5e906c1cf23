"""The door to other registries: one connection pool for the process, one `Repository` for each pull or push."""

import contextlib
import platform
import ssl
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver

from services.registry.upstream.authorization import Authorization
from services.registry.upstream.challenge import PLAIN_HTTP, Credentials
from services.registry.upstream.exchange import Exchange
from services.registry.upstream.policy import UpstreamPolicy
from services.registry.upstream.repository import Repository
from services.registry.upstream.resolver import CheckedResolver
from services.registry.upstream.signing import SigningKey
from services.registry.upstream.uploads import UploadLimits
from shared.clock import Clock, SystemClock
from shared.model_name import ModelName

READ_BUFFER_BYTES: Final = 1 << 20
"""Of one connection; large, so that the event loop is woken once for many network reads."""

USER_AGENT: Final = f"ollama/0.33.0 ({platform.machine()} {platform.system().lower()}) corral/0.1.0"
"""Ollama's form first: its registry serves a newer model only to a version that can run it."""


class UpstreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long silence is borne, how large the parts of an upload are, and how long to wait before a part is tried for
    the third time (then twice as long each time). There is no limit to a whole transfer."""

    connect_s: float
    stall_s: float
    part_bytes: int
    retry_pause_s: float = 1.0


class Upstream:
    """Enter it before the first use; leaving it closes every connection."""

    def __init__(
        self,
        policy: UpstreamPolicy,
        limits: UpstreamLimits,
        *,
        credentials: Mapping[str, Credentials | None],
        key: SigningKey | None,
        resolver: AbstractResolver | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._policy = policy
        self._limits = limits
        self._credentials = credentials
        self._key = key
        self._resolver = resolver
        self._clock = clock or SystemClock()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        resolver = self._resolver or aiohttp.ThreadedResolver()
        checked = CheckedResolver(resolver, self._policy, answer_s=self._limits.connect_s)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=checked, limit=0, ssl=ssl.create_default_context()),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=READ_BUFFER_BYTES,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    @contextlib.asynccontextmanager
    async def repository(self, name: ModelName, *, insecure: bool = False) -> AsyncIterator[Repository]:
        """The model's repository at the registry its name says; `insecure` means plain http, as Ollama means it.

        Clients ask for `insecure` without need, and then whoever is on the way may answer with a challenge. So over
        plain http login and key are shown only to a registry that has an entry which says so (`parse_credentials`).

        Raises: UpstreamForbidden.
        """
        assert self._session is not None, "used before it was entered"
        registry = self._policy.base_url(name.host, insecure=insecure)
        exchange = Exchange(self._session, self._policy, connect_s=self._limits.connect_s, stall_s=self._limits.stall_s)
        origin = (PLAIN_HTTP if insecure else "") + name.host.lower()
        authorization = Authorization(
            exchange,
            registry,
            credentials=self._credentials.get(origin),
            key=self._key if not insecure or origin in self._credentials else None,
            clock=self._clock,
        )
        limits = UploadLimits(part_bytes=self._limits.part_bytes, retry_pause_s=self._limits.retry_pause_s)
        yield Repository(exchange, authorization, registry, name, limits)
