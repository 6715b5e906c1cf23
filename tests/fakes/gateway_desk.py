"""The rest of the cluster as a worker meets it, played by a test: models in the index, jobs in, events out."""

import asyncio
import contextlib
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from fakes.gguf_files import real_model
from fakes.polling import until
from shared import control_jobs, frames, keys
from shared.cluster_state import GatewayState, ResidentModel, WorkerState
from shared.digest import Digest, digest_of
from shared.generation import (
    ChatPrompt,
    Delta,
    Event,
    Failed,
    Finished,
    GenerationRequest,
    Message,
    Prompt,
    RawPrompt,
    RequestId,
    Started,
)
from shared.generation_queue import GenerationQueue
from shared.leases import LEASE_S, Roster
from shared.model_index import ModelDetails, ModelEntry, ModelIndex
from shared.model_name import parse_model_name
from shared.options import Options

GATEWAY = "gateway-1"
COUNTING = "1, 2, 3, 4, 5, 6,"
"""The beginning of a text that the bundled model goes on with for as long as it may."""


class Heard:
    """The events of one request so far."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.changed = asyncio.Condition()

    @property
    def text(self) -> str:
        return "".join(event.piece.text for event in self.events if isinstance(event, Delta))

    @property
    def token_ids(self) -> list[int]:
        return [token for event in self.events if isinstance(event, Delta) for token in event.token_ids]

    @property
    def started(self) -> bool:
        return any(isinstance(event, Started) for event in self.events)

    @property
    def end(self) -> Finished | Failed | None:
        return next((event for event in self.events if isinstance(event, Finished | Failed)), None)


class GatewayDesk:
    """Publishes models, submits jobs and follows the frames of one gateway."""

    def __init__(self, redis: Redis, redis_url: str, models_dir: Path) -> None:
        self.redis = redis
        self.models_dir = models_dir
        self.queue = GenerationQueue(redis)
        self.heard: dict[RequestId, Heard] = defaultdict(Heard)
        self._redis_url = redis_url
        self._workers = Roster(redis, "worker", WorkerState)
        self._gateways = Roster(redis, "gateway", GatewayState)
        self._entries: list[ModelEntry] = []
        self._weights = itertools.count()
        self._numbers = itertools.count(1)
        self._beating: asyncio.Task[None] | None = None
        self._following = asyncio.Event()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["GatewayDesk"]:
        (self.models_dir / "blobs").mkdir(parents=True)
        async with control_jobs.connected(self._redis_url) as self._pool:
            await self.announce()
            self._beating = asyncio.create_task(self._beat())
            following = asyncio.create_task(self._follow())
            await self._following.wait()
            try:
                yield self
            finally:
                self._beating.cancel()
                following.cancel()
                await asyncio.wait([self._beating, following])

    async def announce(self) -> None:
        await self._gateways.announce(GATEWAY, GatewayState(open_requests=0))

    async def a_worker_drains(self) -> bool:
        return any(state.draining for state in (await self._workers.members()).values())

    async def die(self) -> None:
        """Renew the lease no more and let it end now."""
        assert self._beating is not None
        self._beating.cancel()
        await self._gateways.withdraw(GATEWAY)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 6)
            await self.announce()

    async def _follow(self) -> None:
        async for frame in frames.follow(self.redis, GATEWAY):
            self._following.set()
            for event in () if frame is None else frame.events:
                heard = self.heard[event.request_id]
                heard.events.append(event)
                async with heard.changed:
                    heard.changed.notify_all()

    async def publish(
        self,
        name: str,
        *,
        content: bytes | None = None,
        params: dict[str, object] | None = None,
        real_digest: bool = False,
        capability: str = "completion",
    ) -> ModelEntry:
        """Store a model: the bundled one, or one with `content`.

        Its digest is made up, so that the same weights may be several models, unless it has to be the `real_digest`.
        """
        number = next(self._weights)
        weights = digest_of(real_model().read_bytes()) if real_digest else Digest(f"sha256:{number:064x}")
        blob = self.blob_path(weights)
        if content is None:
            blob.symlink_to(real_model())
        else:
            blob.write_bytes(content)
        entry = ModelEntry(
            name=parse_model_name(name),
            digest=f"{number:064x}",
            weights=weights,
            weights_bytes=blob.stat().st_size,
            size_bytes=blob.stat().st_size,
            modified_unix_ms=0,
            details=ModelDetails(),
            capabilities=(capability,),
            context_length=8192,
            embedding_length=576,
            kv_bytes_per_token=23_040,
            blocks_count=30,
            params={"num_ctx": 1024, **(params or {})},
        )
        self._entries.append(entry)
        await ModelIndex(self.redis).publish(self._entries)
        return entry

    async def replace(self, old: ModelEntry) -> ModelEntry:
        """Give the model's name to other weights; the old blob stays for a while, as in the registry."""
        self._entries.remove(old)
        return await self.publish(old.name.short)

    def blob_path(self, weights: Digest) -> Path:
        return self.models_dir / "blobs" / weights.replace(":", "-")

    async def ask(self, model: ModelEntry, prompt: Prompt | str | None = None, **changes: Any) -> RequestId:
        """Queue a generation, by default one that goes on until its length limit.

        A text is a user's message; `changes` replace fields of the request, or options by their own names.
        """
        if prompt is None:
            prompt = RawPrompt(text=COUNTING)
        elif isinstance(prompt, str):
            prompt = ChatPrompt(messages=(Message("user", prompt),))
        option_names = set(Options.__struct_fields__) & set(changes)
        options = Options(**{"temperature": 0.0, **{name: changes.pop(name) for name in option_names}})
        now_unix_ms = time.time_ns() // 1_000_000
        fields: dict[str, Any] = {
            "request_id": RequestId(f"request-{next(self._numbers)}"),
            "gateway_id": GATEWAY,
            "model": model.name.full,
            "weights": model.weights,
            "prompt": prompt,
            "options": options,
            "tenant": "ann",
            "user": "ann",
            "deadline_unix_ms": now_unix_ms + 120_000,
            **changes,
        }
        request = GenerationRequest(**fields)
        await self.queue.submit(request, cost=100, depth_max=100, now_unix_ms=now_unix_ms)
        return request.request_id

    async def load(self, worker_id: str, model: ModelEntry) -> None:
        await control_jobs.enqueue_load(self._pool, worker_id, model.weights, model.name.full)

    async def unload(self, worker_id: str, model: ModelEntry) -> None:
        await control_jobs.unload(self._pool, worker_id, model.weights, timeout_s=20)

    async def ended(self, request_id: RequestId, *, within_s: float = 40.0) -> Finished | Failed:
        """The last event of a request."""
        heard = self.heard[request_id]
        async with asyncio.timeout(within_s), heard.changed:
            await heard.changed.wait_for(lambda: heard.end is not None)
        assert heard.end is not None
        return heard.end

    async def finished(self, request_id: RequestId, *, within_s: float = 40.0) -> Finished:
        end = await self.ended(request_id, within_s=within_s)
        assert isinstance(end, Finished), end
        return end

    async def failed(self, request_id: RequestId, *, within_s: float = 40.0) -> Failed:
        end = await self.ended(request_id, within_s=within_s)
        assert isinstance(end, Failed), end
        return end

    async def streaming(self, request_id: RequestId, *, tokens_count: int = 3, within_s: float = 40.0) -> None:
        """Return once the request has shown some tokens."""
        heard = self.heard[request_id]
        async with asyncio.timeout(within_s), heard.changed:
            await heard.changed.wait_for(lambda: len(heard.token_ids) >= tokens_count or heard.end is not None)
        assert heard.end is None, heard.end

    async def newcomer(self, *, known: frozenset[str] = frozenset()) -> str:
        """The id of a worker that has announced itself."""
        found: set[str] = set()

        async def announced() -> bool:
            found.update(set(await self._workers.members()) - known)
            return bool(found)

        await until(announced, within_s=20)
        return found.pop()

    async def resident(self, model: ModelEntry) -> ResidentModel | None:
        """The model as some worker announces it."""
        for state in (await self._workers.members()).values():
            for resident in state.models:
                if resident.weights == model.weights:
                    return resident
        return None

    async def is_idle(self, model: ModelEntry) -> bool:
        """Whether the model is in memory and none of its slots in use."""
        resident = await self.resident(model)
        return resident is not None and resident.slots_in_use == 0

    async def is_ready(self, model: ModelEntry) -> bool:
        resident = await self.resident(model)
        return resident is not None and resident.state == "ready"

    async def no_job_is_left(self) -> None:
        """Wait until Redis holds no job of any request."""

        async def none() -> bool:
            return not [key async for key in self.redis.scan_iter(match=keys.job("*"))]

        await until(none)
