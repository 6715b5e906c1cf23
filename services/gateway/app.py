"""Composition root of the gateway: builds the parts, wires them, owns their lifetimes. No logic."""

import asyncio
import contextlib
import dataclasses
import secrets
import socket
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import web
from arq import ArqRedis
from redis.asyncio import Redis

from services.gateway.access import Access, is_loopback, start_problem
from services.gateway.admission import Limits
from services.gateway.client_address import Network, parse_networks
from services.gateway.cluster_facts import ClusterFacts
from services.gateway.cluster_view import ClusterView
from services.gateway.dispatch import Dispatcher
from services.gateway.forwarded_users import secret_problem
from services.gateway.frame_reader import FrameReader
from services.gateway.generation_requests import GenerationRequests
from services.gateway.handlers import cloud, cors, doors, root, serving
from services.gateway.handlers.anthropic_messages import AnthropicMessages
from services.gateway.handlers.cluster import Cluster
from services.gateway.handlers.distribution import Distribution
from services.gateway.handlers.embeddings import Embeddings
from services.gateway.handlers.forwarding import Forwarder
from services.gateway.handlers.key_backup import KeyBackup
from services.gateway.handlers.keys import Keys
from services.gateway.handlers.models import Models
from services.gateway.handlers.ollama_generation import OllamaGeneration
from services.gateway.handlers.openai_chat import OpenAiChat
from services.gateway.handlers.openai_completions import OpenAiCompletions
from services.gateway.handlers.openapi import OpenApi
from services.gateway.handlers.ps import Ps
from services.gateway.handlers.relay import SUMMARIES
from services.gateway.handlers.responses import Responses
from services.gateway.handlers.smokes import Smokes as SmokeRoutes
from services.gateway.handlers.transcriptions import Transcriptions
from services.gateway.handlers.v1_models import V1Models
from services.gateway.handlers.waiting import Waiting
from services.gateway.heartbeat import Heartbeat
from services.gateway.key_store import KeyStore
from services.gateway.leader import Leader
from services.gateway.public_address import hostnames, parse_public_urls
from services.gateway.redis_guard import redis_guard
from services.gateway.registry_access import RegistryAccess
from services.gateway.settings import Settings
from services.gateway.smoke.history import SmokeHistory
from services.gateway.smoke.rounds import Smokes
from services.gateway.smoke.schedule import SmokeSchedule, interval_problem, moments
from services.gateway.stored_responses import StoredResponses
from services.gateway.summaries import Summaries
from services.gateway.tokens import Tokens
from services.gateway.unloading import Unloader
from services.gateway.watchdog import Watchdog, WatchLimits
from shared import control_jobs, redis_client
from shared.background import running
from shared.clock import SystemClock
from shared.cluster_state import GatewayState, WorkerState
from shared.errors import Unavailable
from shared.generation_queue import GenerationQueue
from shared.leases import LEASE_S, Roster
from shared.model_index import ModelIndex
from shared.web import DRAIN, add_ops_routes, serve

# A registry that cannot be reached is known at once; one that works on a model may be silent for long.
REGISTRY_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5.0)
REGISTRY_CONNECTIONS_MAX: Final = 1024  # one pull reads up to 16 ranges at once; more requests than this wait


class StartRefused(Exception):
    """The settings must not be used; the message says what to change."""


async def run(settings: Settings) -> None:
    """Serve until told to stop.

    Raises: StartRefused.
    """
    async with gateway(settings) as app:
        await serve(app, host=settings.host, port=settings.port, drain_s=settings.drain_s)


@contextlib.asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[web.Application]:
    """The application, connected and announced to the cluster for the length of the block.

    Raises: StartRefused, Unavailable (no Redis).
    """
    redis = redis_client.connect(settings.redis_url.reveal())
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(redis.aclose)
        async with redis_guard(settings.redis_wait_s):
            _check(settings, keys_count=await KeyStore(redis, SystemClock()).count())
        arq_pool = await stack.enter_async_context(control_jobs.connected(settings.redis_url.reveal()))
        session = await stack.enter_async_context(_registry_session())
        parts = _wired(settings, redis, arq_pool)
        # Workers take no job of a gateway without a lease, so it comes before the first request.
        await parts.heartbeat.announce()
        stack.push_async_callback(_leave, parts.heartbeat, parts.leader)
        await parts.cluster.refresh()
        for part in (parts.reader, parts.heartbeat, parts.watchdog, parts.leader):
            await stack.enter_async_context(running(part.run()))
        async with redis_guard(settings.redis_wait_s):
            await parts.reader.connected()
        if (at := moments(settings.smoke_interval_s)) is not None:
            make_round = _smokes(settings, parts, redis).round
            schedule = SmokeSchedule(settings.redis_url.reveal(), make_round, at)
            await stack.enter_async_context(running(schedule.run()))
        yield _application(settings, parts, redis, arq_pool, session)


def _registry_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=REGISTRY_CONNECTIONS_MAX),
        timeout=REGISTRY_TIMEOUT,
        auto_decompress=False,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Parts:
    """What lives as long as the process and is needed in more than one place."""

    gateway_id: str
    cluster: ClusterView
    reader: FrameReader
    heartbeat: Heartbeat
    leader: Leader
    dispatcher: Dispatcher
    watchdog: Watchdog


def _wired(settings: Settings, redis: Redis, arq_pool: ArqRedis) -> _Parts:
    clock = SystemClock()
    gateway_id = f"{socket.gethostname()}-{secrets.token_hex(6)}"
    queue = GenerationQueue(redis)
    cluster = ClusterView(Roster(redis, "worker", WorkerState))
    reader = FrameReader(redis, clock, gateway_id)
    leader = Leader(redis=redis, arq_pool=arq_pool, queue=queue, cluster=cluster, gateway_id=gateway_id)
    dispatcher = Dispatcher(
        queue=queue,
        reader=reader,
        cluster=cluster,
        clock=clock,
        limits=Limits(open_generations_max=settings.open_generations_max),
        queue_depth_max=settings.queue_depth_max,
        redis_wait_s=settings.redis_wait_s,
        heartbeat_s=settings.heartbeat_s,
        model_is_wanted=leader.poke,
    )
    watchdog = Watchdog(
        reader=reader,
        queue=queue,
        cluster=cluster,
        dispatcher=dispatcher,
        clock=clock,
        limits=WatchLimits(started_wait_s=settings.started_wait_s, no_worker_wait_s=settings.no_worker_wait_s),
        interval_s=settings.watch_interval_s,
    )
    return _Parts(
        gateway_id=gateway_id,
        cluster=cluster,
        reader=reader,
        heartbeat=Heartbeat(Roster(redis, "gateway", GatewayState), reader, clock, gateway_id),
        leader=leader,
        dispatcher=dispatcher,
        watchdog=watchdog,
    )


def _application(
    settings: Settings, parts: _Parts, redis: Redis, arq_pool: ArqRedis, session: aiohttp.ClientSession
) -> web.Application:
    clock, index, wait_s = SystemClock(), ModelIndex(redis), settings.redis_wait_s
    public_urls = parse_public_urls(settings.public_urls)
    keys = KeyStore(redis, clock)
    unloader = Unloader(arq_pool, parts.cluster, redis_wait_s=wait_s)
    requests = _requests(settings, parts, index)
    # Compressed bodies are decompressed where they are read, which then decides about limits and errors.
    app = web.Application(client_max_size=settings.body_bytes_max, handler_args={"auto_decompress": False})
    serving.install(app, trusted_proxies=_trusted_proxies(settings))
    cors.install(
        app,
        extra_origins=tuple(origin.strip() for origin in settings.origins.split(",") if origin.strip()),
        own_names=frozenset({socket.gethostname().lower(), *hostnames(public_urls)}),
        is_on_loopback=is_loopback(settings.host),
    )
    access = Access(
        keys,
        clock,
        admin_key=settings.admin_key,
        service_key=settings.service_key,
        require_keys=settings.require_keys,
        forwarded_user_secret=settings.forwarded_user_secret,
    )
    forwarder = Forwarder(session, settings.registry_url)
    registry = Distribution(
        _registry_access(settings, access, redis), forwarder, public_urls=public_urls, redis_wait_s=wait_s
    )
    doors.install(app, access, registry, redis_wait_s=wait_s)
    add_ops_routes(app, lambda: None if parts.reader.is_connected else "Redis cannot be reached")
    app[DRAIN].steps.append(lambda: asyncio.sleep(settings.drain_notice_s))
    root.add_routes(app)
    cloud.add_routes(app)
    OpenApi().add_routes(app)
    app[SUMMARIES] = Summaries(redis, parts.dispatcher, life_s=settings.summary_life_s, redis_wait_s=wait_s)
    OllamaGeneration(requests, parts.dispatcher, unloader).add_routes(app)
    OpenAiChat(requests, parts.dispatcher, choices_max=settings.choices_max).add_routes(app)
    OpenAiCompletions(requests, parts.dispatcher, choices_max=settings.choices_max).add_routes(app)
    Responses(requests, parts.dispatcher, _stored_responses(settings, redis)).add_routes(app)
    AnthropicMessages(requests, parts.dispatcher).add_routes(app)
    Transcriptions(requests, parts.dispatcher).add_routes(app)
    Embeddings(requests, parts.dispatcher, unloader, inputs_max=settings.embed_inputs_max).add_routes(app)
    registry.add_routes(app)
    Models(forwarder, index=index, unloader=unloader, redis_wait_s=wait_s).add_routes(app)
    Ps(parts.cluster, index, clock, redis_wait_s=wait_s).add_routes(app)
    V1Models(index, redis_wait_s=wait_s).add_routes(app)
    Keys(keys, redis_wait_s=wait_s).add_routes(app)
    Cluster(_cluster_facts(settings, parts, redis, session)).add_routes(app)
    SmokeRoutes(SmokeHistory(redis), index, redis_wait_s=wait_s).add_routes(app)
    KeyBackup(keys, redis_wait_s=wait_s).add_routes(app)
    Waiting(GenerationQueue(redis), parts.cluster, clock, redis_wait_s=wait_s).add_routes(app)
    return app


def _requests(settings: Settings, parts: _Parts, index: ModelIndex) -> GenerationRequests:
    return GenerationRequests(
        index=index,
        clock=SystemClock(),
        gateway_id=parts.gateway_id,
        deadline_s=settings.generation_deadline_s,
        redis_wait_s=settings.redis_wait_s,
    )


def _smokes(settings: Settings, parts: _Parts, redis: Redis) -> Smokes:
    index = ModelIndex(redis)
    return Smokes(
        cluster=parts.cluster,
        queue=GenerationQueue(redis),
        index=index,
        requests=_requests(settings, parts, index),
        dispatcher=parts.dispatcher,
        history=SmokeHistory(redis),
        clock=SystemClock(),
        wait_s=settings.smoke_wait_s,
    )


def _cluster_facts(settings: Settings, parts: _Parts, redis: Redis, session: aiohttp.ClientSession) -> ClusterFacts:
    return ClusterFacts(
        redis,
        SystemClock(),
        session,
        registry_url=settings.registry_url,
        gateway_id=parts.gateway_id,
        redis_wait_s=settings.redis_wait_s,
    )


def _stored_responses(settings: Settings, redis: Redis) -> StoredResponses:
    return StoredResponses(
        redis,
        kept_s=settings.responses_kept_s,
        bytes_max=settings.response_bytes_max,
        user_bytes_max=settings.user_responses_bytes_max,
        read_bytes_max=settings.body_bytes_max,
        redis_wait_s=settings.redis_wait_s,
    )


def _registry_access(settings: Settings, access: Access, redis: Redis) -> RegistryAccess:
    return RegistryAccess(
        access,
        Tokens(redis),
        token_life_s=settings.registry_token_life_s,
        blob_url_life_s=settings.blob_url_life_s,
    )


def _trusted_proxies(settings: Settings) -> tuple[Network, ...]:
    try:
        return parse_networks(settings.trusted_proxies)
    except ValueError as cause:
        raise StartRefused(f"CORRAL_GATEWAY_TRUSTED_PROXIES: {cause}") from cause


def _check(settings: Settings, *, keys_count: int) -> None:
    problem = start_problem(
        host=settings.host,
        require_keys=settings.require_keys,
        admin_key_is_set=bool(settings.admin_key),
        keys_count=keys_count,
    )
    problem = problem or secret_problem(settings.forwarded_user_secret) or interval_problem(settings.smoke_interval_s)
    if problem is not None:
        raise StartRefused(problem)


async def _leave(heartbeat: Heartbeat, leader: Leader) -> None:
    """Give up lease and leadership at once; without Redis they end by themselves."""
    with contextlib.suppress(Unavailable):
        async with redis_guard(LEASE_S):
            await leader.resign()
        await heartbeat.withdraw()
