"""DNS answers that were checked. The connector uses the very addresses that passed, so none can change in between."""

import asyncio
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from services.registry.upstream.policy import UpstreamPolicy


class CheckedResolver(AbstractResolver):
    def __init__(self, resolver: AbstractResolver, policy: UpstreamPolicy, *, answer_s: float) -> None:
        self._resolver = resolver
        self._policy = policy
        self._answer_s = answer_s

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of the host.

        Raises: UpstreamForbidden when one of them may not be connected to, OSError, TimeoutError.
        """
        async with asyncio.timeout(self._answer_s):
            answers = await self._resolver.resolve(host, port, family)
        for answer in answers:
            self._policy.check_address(host, port, answer["host"])
        return answers

    async def close(self) -> None:
        await self._resolver.close()
