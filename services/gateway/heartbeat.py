"""Keeps this gateway's lease alive; without it workers drop its jobs."""

import asyncio

import structlog

from services.gateway.frame_reader import FrameReader
from services.gateway.redis_guard import redis_guard
from shared.clock import Clock
from shared.cluster_state import GatewayState
from shared.errors import Unavailable
from shared.leases import HEARTBEAT_S, LEASE_S, Roster
from shared.version import CORRAL_VERSION

log = structlog.get_logger("corral.gateway")


class Heartbeat:
    def __init__(self, roster: Roster[GatewayState], reader: FrameReader, clock: Clock, gateway_id: str) -> None:
        self._roster = roster
        self._reader = reader
        self._clock = clock
        self._gateway_id = gateway_id

    async def announce(self) -> None:
        """Raises: Unavailable."""
        async with redis_guard(LEASE_S):
            await self._roster.announce(
                self._gateway_id,
                GatewayState(
                    open_requests=len(self._reader.open),
                    version=CORRAL_VERSION,
                    clock_unix_ms=self._clock.unix_ms(),
                ),
            )

    async def run(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                await self.announce()
            except Unavailable as error:
                log.warning("heartbeat_missed", cause=repr(error.__cause__))

    async def withdraw(self) -> None:
        """Raises: Unavailable."""
        async with redis_guard(LEASE_S):
            await self._roster.withdraw(self._gateway_id)
