"""A round of smokes: a tiny generation of every model in memory, through the same queue as everybody's.

It stands behind people: it has the least weight, waits for no slot and is left out where they wait themselves. It
loads no model, keeps none in memory and counts for nobody's latency (`GenerationRequest.is_smoke`).
"""

import asyncio
import uuid
from typing import Final

import msgspec
import structlog

from services.gateway import metrics
from services.gateway.access import Principal
from services.gateway.cluster_view import ClusterView
from services.gateway.conversation import Conversation
from services.gateway.dispatch import Dispatcher
from services.gateway.generation_requests import GenerationRequests
from services.gateway.key_store import Role
from services.gateway.open_generation import OpenGeneration
from services.gateway.prompts import prompt_of_chat
from services.gateway.smoke.history import Outcome, SmokeHistory, SmokeResult
from services.gateway.smoke.plan import Obstacle, obstacle_to, targets
from shared.clock import Clock
from shared.errors import CorralError, DeadlineExceeded, QueueFull, RemoteError
from shared.generation import Delta, Embedded, EmbedPrompt, Failed, Finished, GenerationRequest, Message, Started
from shared.generation_queue import GenerationQueue
from shared.model_index import ModelEntry, ModelIndex

log = structlog.get_logger("corral.gateway")

TOKENS_MAX: Final = 4
PROMPT: Final = "Say yes."
SMOKER: Final = Principal(tenant="smoke", user="smoke", name="smoke", role=Role.USER, weight=0.001)
"""Whom the fair queue charges. No key's id has this name, and nobody has less weight."""


class Smokes:
    def __init__(
        self,
        *,
        cluster: ClusterView,
        queue: GenerationQueue,
        index: ModelIndex,
        requests: GenerationRequests,
        dispatcher: Dispatcher,
        history: SmokeHistory,
        clock: Clock,
        wait_s: float,
    ) -> None:
        """`wait_s` is how long one may take."""
        self._cluster = cluster
        self._queue = queue
        self._index = index
        self._requests = requests
        self._dispatcher = dispatcher
        self._history = history
        self._clock = clock
        self._wait_s = wait_s

    async def round(self) -> None:
        """Try every model in memory once, and keep what came of it.

        Raises: RedisError, OSError, alone or in a group.
        """
        entries = await self._index.all()
        await self._history.forget_all_but({entry.name.full for entry in entries})
        async with asyncio.TaskGroup() as group:
            for models in targets(await self._cluster.refresh(), entries):
                group.create_task(self._try_in_turn(models))

    async def _try_in_turn(self, models: list[ModelEntry]) -> None:
        for entry in models:
            model = entry.name.full
            for outcome in Outcome:
                metrics.SMOKES.labels(model=model, outcome=outcome)  # from zero, so that the first one is an increase
            result = await self._tried(entry)
            if result is not None:
                # Without Redis this fails, and what failed for want of Redis is not counted as the model's failure.
                await self._history.add(model, result)
                _report(model, result)

    async def _tried(self, entry: ModelEntry) -> SmokeResult | None:
        """What came of it; None when the model is no longer in memory."""
        obstacle = await self._obstacle(entry)
        if obstacle is None:
            result = await self._result(entry)
            if result.outcome is not Outcome.TIMEOUT or result.worker_id:
                return result
            # It waited all the time: because nobody takes it, or because people came or the model left meanwhile.
            obstacle = await self._obstacle(entry)
            if obstacle is None:
                return result
        if obstacle is Obstacle.ABSENT:
            return None
        return SmokeResult(at_unix_ms=self._clock.unix_ms(), outcome=Outcome.SKIPPED)

    async def _obstacle(self, entry: ModelEntry) -> Obstacle | None:
        workers = await self._cluster.refresh()
        waiting_count = await self._queue.length(entry.weights)
        return obstacle_to(entry.weights, workers.values(), waiting_count=waiting_count)

    async def _result(self, entry: ModelEntry) -> SmokeResult:
        attempt = _Attempt(self._clock)
        try:
            async with asyncio.timeout(self._wait_s), self._dispatcher.generation(self._request(entry)) as opened:
                await attempt.follow(opened)
        except TimeoutError:
            return attempt.result(Outcome.TIMEOUT)
        except QueueFull:
            return attempt.result(Outcome.SKIPPED)
        except CorralError as error:
            if error.code == DeadlineExceeded.code:
                return attempt.result(Outcome.TIMEOUT)
            return attempt.result(Outcome.FAILED, error_code=error.code)
        return attempt.result(Outcome.OK)

    def _request(self, entry: ModelEntry) -> GenerationRequest:
        asked = Conversation(messages=(Message("user", PROMPT),))
        request = self._requests.build(
            entry,
            EmbedPrompt(inputs=(PROMPT,)) if entry.embeds else prompt_of_chat(asked, entry),
            request_id=f"smoke-{uuid.uuid4().hex}",
            principal=SMOKER,
            options={"temperature": 0.0, "num_predict": TOKENS_MAX},
        )
        deadline_unix_ms = self._clock.unix_ms() + round(self._wait_s * 1000)
        return msgspec.structs.replace(request, is_smoke=True, deadline_unix_ms=deadline_unix_ms)


class _Attempt:
    """What is known of one smoke so far."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at_unix_ms = clock.unix_ms()
        self._began_s = clock.monotonic_s()
        self._first_token_s: float | None = None
        self._tokens = 0
        self.worker_id = ""

    async def follow(self, opened: OpenGeneration) -> None:
        """Read the generation to its end.

        Raises: RemoteError when it failed.
        """
        async for batch in opened.batches():
            for event in batch:
                match event:
                    case Started():
                        self.worker_id = event.worker_id
                    case Delta() | Embedded():
                        if self._first_token_s is None:
                            self._first_token_s = self._elapsed_s()
                    case Finished():
                        self._tokens = event.usage.generated_tokens or event.usage.prompt_tokens
                    case Failed():
                        raise RemoteError(event.error)

    def result(self, outcome: Outcome, *, error_code: str = "") -> SmokeResult:
        return SmokeResult(
            at_unix_ms=self._at_unix_ms,
            outcome=outcome,
            first_token_s=self._first_token_s,
            total_s=self._elapsed_s(),
            tokens=self._tokens,
            worker_id=self.worker_id,
            error_code=error_code,
        )

    def _elapsed_s(self) -> float:
        return round(self._clock.monotonic_s() - self._began_s, 4)


def _report(model: str, result: SmokeResult) -> None:
    metrics.SMOKES.labels(model=model, outcome=result.outcome).inc()
    if result.outcome is Outcome.OK:
        metrics.SMOKE_SECONDS.labels(model=model).observe(result.total_s)
    write = log.warning if result.outcome in (Outcome.FAILED, Outcome.TIMEOUT) else log.debug
    write(
        "smoke_ended",
        model=model,
        outcome=result.outcome,
        worker_id=result.worker_id,
        code=result.error_code,
        total_s=result.total_s,
    )
