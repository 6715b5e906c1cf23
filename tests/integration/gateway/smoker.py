"""The parts of a gateway that make smokes, without HTTP and without a clock: a test says when there is a round."""

import contextlib
from collections.abc import AsyncIterator

from redis.asyncio import Redis

from services.gateway.admission import Limits
from services.gateway.cluster_view import ClusterView
from services.gateway.dispatch import Dispatcher
from services.gateway.frame_reader import FrameReader
from services.gateway.generation_requests import GenerationRequests
from services.gateway.heartbeat import Heartbeat
from services.gateway.smoke.history import SmokeHistory
from services.gateway.smoke.rounds import Smokes
from shared.background import running
from shared.clock import SystemClock
from shared.cluster_state import GatewayState, WorkerState
from shared.generation_queue import GenerationQueue
from shared.leases import Roster
from shared.model_index import ModelIndex

GATEWAY = "gateway-of-smokes"


@contextlib.asynccontextmanager
async def smoker(redis: Redis, *, wait_s: float = 5.0) -> AsyncIterator[Smokes]:
    clock, queue, index = SystemClock(), GenerationQueue(redis), ModelIndex(redis)
    cluster, reader = ClusterView(Roster(redis, "worker", WorkerState)), FrameReader(redis, clock, GATEWAY)
    heartbeat = Heartbeat(Roster(redis, "gateway", GatewayState), reader, SystemClock(), GATEWAY)
    dispatcher = Dispatcher(
        queue=queue,
        reader=reader,
        cluster=cluster,
        clock=clock,
        limits=Limits(open_generations_max=10),
        queue_depth_max=10,
        redis_wait_s=5.0,
        heartbeat_s=10.0,
        model_is_wanted=lambda: None,
    )
    requests = GenerationRequests(index=index, clock=clock, gateway_id=GATEWAY, deadline_s=60.0, redis_wait_s=5.0)
    await heartbeat.announce()
    async with running(reader.run()), running(heartbeat.run()):
        await reader.connected()
        yield Smokes(
            cluster=cluster,
            queue=queue,
            index=index,
            requests=requests,
            dispatcher=dispatcher,
            history=SmokeHistory(redis),
            clock=clock,
            wait_s=wait_s,
        )
