"""Generations running on this worker: prompt to runner, steps to frames, and every way one can end."""

import asyncio
import itertools
import time
from collections import deque
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError

from services.worker import metrics
from services.worker.engine.inputs import NewEmbedding
from services.worker.engine.sequence import (
    PromptCut,
    SequenceEvent,
    SequenceFailed,
    SequenceFinished,
    TokensOut,
    VectorsOut,
)
from services.worker.fitting import Attempt, next_attempt
from services.worker.outbox import Outbox
from services.worker.output.parser import OutputParser, PlainText
from services.worker.residency.manager import Lease
from services.worker.residency.resident import Resident
from services.worker.runner.messages import StepDone
from services.worker.writing import write
from shared.clock import Clock
from shared.errors import (
    CapabilityMissing,
    CorralError,
    DeadlineExceeded,
    InternalError,
    RemoteError,
    RunnerDied,
)
from shared.generation import (
    ChatPrompt,
    Delta,
    DoneReason,
    Embedded,
    EmbedPrompt,
    Event,
    Failed,
    Finished,
    GenerationRequest,
    LoadOnly,
    Piece,
    Prompt,
    RequestId,
    Started,
    Truncated,
    Usage,
)
from shared.generation_queue import GenerationQueue, token_cost

log = structlog.get_logger("corral.worker")

CANCELS_KEPT: Final = 1000
"""How many cancels of generations that are not here are remembered; they overtake their jobs by milliseconds."""


class Active:
    """One generation between its `started` and its last event."""

    def __init__(self, request: GenerationRequest, resident: Resident) -> None:
        self.request = request
        self.resident = resident
        self.task: asyncio.Task[None] | None = None
        self.taken_ns = time.monotonic_ns()
        self.admitted_ns = 0
        self.token_ids: list[int] = []
        self.dropped_messages_count = 0
        self.dropped_tokens_count = 0
        self.left_runner = True
        self.usage: Usage | None = None  # known once the sequence is over
        self.parser: OutputParser = PlainText()
        self.ending: asyncio.Future[SequenceFinished] = asyncio.get_running_loop().create_future()


class Generations:
    """All generations of this worker, by the sequence id their runner knows them by."""

    def __init__(self, queue: GenerationQueue, outbox: Outbox, clock: Clock, worker_id: str) -> None:
        self._queue = queue
        self._outbox = outbox
        self._clock = clock
        self._worker_id = worker_id
        self._active: dict[int, Active] = {}
        self._cancelled_early: deque[tuple[RequestId, int]] = deque(maxlen=CANCELS_KEPT)
        self._ids = itertools.count(1)

    def start(self, request: GenerationRequest, resident: Resident, lease: Lease) -> "asyncio.Task[None]":
        """Run the generation in a task of its own; the lease is released when it has ended."""
        active = Active(request, resident)
        sequence_id = next(self._ids)
        self._active[sequence_id] = active
        active.task = asyncio.create_task(self._run(sequence_id, active, lease))

        def ended(_task: "asyncio.Task[None]") -> None:
            self._active.pop(sequence_id, None)
            lease.release()

        active.task.add_done_callback(ended)
        if (request.request_id, request.attempt) in self._cancelled_early:
            active.task.cancel()
        return active.task

    def cancel(self, request_id: RequestId, attempt: int) -> None:
        """End that attempt of the generation without another word; its gateway does not listen any more.

        A cancel may overtake its job, which comes over another connection: then it waits for it here.
        """
        meant = [
            active.task
            for active in self._active.values()
            if (active.request.request_id, active.request.attempt) == (request_id, attempt)
        ]
        for task in meant:
            if task is not None:
                task.cancel()
        if not meant:
            self._cancelled_early.append((request_id, attempt))

    def cancel_all_of_missing(self, gateways: frozenset[str]) -> None:
        """End what was asked for by gateways that are not among the living."""
        for active in list(self._active.values()):
            if active.request.gateway_id not in gateways and active.task is not None:
                log.info("generation_orphaned", request_id=active.request.request_id)
                active.task.cancel()

    async def drain(self, deadline_s: float) -> None:
        """Let everything end by itself for `deadline_s` seconds, then fail what is left."""
        tasks = [active.task for active in self._active.values() if active.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=deadline_s)
        self.fail_all(RunnerDied("the worker is shutting down"))
        rest = [active.task for active in self._active.values() if active.task is not None]
        if rest:
            await asyncio.wait(rest, timeout=1.0)

    def fail_all(self, error: CorralError, resident: Resident | None = None) -> None:
        """Fail every generation, or every one on `resident`."""
        for active in self._active.values():
            if resident is None or active.resident is resident:
                _end(active, error)

    def step_done(self, report: StepDone) -> None:
        """Pass on what one engine step brought: one frame per gateway."""
        outgoing: dict[str, list[Event]] = {}
        for event in report.events:
            active = self._active.get(event.sequence_id)
            if active is None:
                continue
            if isinstance(event, TokensOut):
                if (delta := _read(active, event)) is not None:
                    outgoing.setdefault(active.request.gateway_id, []).append(delta)
            elif isinstance(event, PromptCut):
                active.dropped_tokens_count = event.left_out_tokens
                outgoing.setdefault(active.request.gateway_id, []).append(_truncated(active))
            elif isinstance(event, VectorsOut):
                outgoing.setdefault(active.request.gateway_id, []).append(_embedded(active.request, event))
            else:
                active.left_runner = True
                if not active.ending.done():
                    _settle(active.ending, event)
        for gateway_id, events in outgoing.items():
            self._outbox.put(gateway_id, events)

    async def refuse(self, request: GenerationRequest, error: CorralError) -> None:
        """End a generation that was taken but cannot run."""
        self._say(request, _failed(request, error))
        metrics.GENERATIONS.labels(error.code).inc()
        await self._forget(request, Usage())

    async def _run(self, sequence_id: int, active: Active, lease: Lease) -> None:
        request = active.request
        self._say(
            request,
            Started(request_id=request.request_id, attempt=request.attempt, worker_id=self._worker_id),
        )
        outcome = "cancelled"
        try:
            finished = await self._finished(sequence_id, active, lease)
            outcome = finished.reason.value
            self._say(request, finished)
        except CorralError as error:
            outcome = error.code
            self._say(request, _failed(request, error))
        except Exception:
            outcome = "internal"
            log.exception("generation_failed", request_id=request.request_id)
            self._say(request, _failed(request, InternalError("internal error; the worker's log has the details")))
        finally:
            if not active.left_runner:
                lease.runner.cancel(sequence_id)
            usage = _computed(active)
            self._count(request, usage, outcome)
            await self._forget(request, usage)

    async def _finished(self, sequence_id: int, active: Active, lease: Lease) -> Finished:
        """Run the generation to its end.

        Raises: CorralError, whatever went wrong.
        """
        request = active.request
        if request.deadline_unix_ms <= self._clock.unix_ms():
            raise DeadlineExceeded("the request waited longer than its deadline allows")
        if isinstance(request.prompt, LoadOnly):
            return self._ended(active, SequenceFinished(sequence_id, DoneReason.LOAD, Usage(), ()))
        _check_kind(request, active.resident)
        prompt = request.prompt
        if isinstance(prompt, EmbedPrompt):
            return await self._embed(sequence_id, active, lease, prompt)
        attempt = Attempt(prompt)
        while True:
            assert active.resident.opened is not None
            sequence, active.parser = write(sequence_id, request, attempt.prompt, active.resident.opened)
            lease.runner.admit(msgspec.structs.replace(sequence, cuts_prompt=attempt.cuts_tokens))
            active.left_runner = False
            active.admitted_ns = time.monotonic_ns()
            try:
                done = await active.ending
                if request.render_only:
                    self._say(request, _delta(active, Piece(sequence.prompt), ()))
                return self._ended(active, done)
            except RemoteError as error:
                if (shorter := next_attempt(request, attempt, error)) is None:
                    raise
            attempt = shorter
            if not attempt.cuts_tokens:
                active.dropped_messages_count = _messages_count(prompt) - _messages_count(attempt.prompt)
                self._say(request, _truncated(active))
            active.ending = asyncio.get_running_loop().create_future()

    async def _embed(self, sequence_id: int, active: Active, lease: Lease, prompt: EmbedPrompt) -> Finished:
        """Raises: CorralError, whatever went wrong."""
        request = active.request
        lease.runner.admit(
            NewEmbedding(
                sequence_id=sequence_id, inputs=prompt.inputs, truncate=request.truncate, options=request.options
            )
        )
        active.left_runner = False
        active.admitted_ns = time.monotonic_ns()
        return self._ended(active, await active.ending)

    def _ended(self, active: Active, done: SequenceFinished) -> Finished:
        """Raises: ToolCallInvalid."""
        request = active.request
        active.usage = done.usage
        is_cut = done.reason is DoneReason.LENGTH or bool(done.stop_string)
        if rest := active.parser.finish(is_cut=is_cut):
            self._say(request, _delta(active, rest, ()))
        opened = active.resident.opened
        load_ns = (active.admitted_ns or time.monotonic_ns()) - active.taken_ns
        if not active.resident.load_reported and opened is not None:
            active.resident.load_reported = True
            load_ns += round(opened.load_s * 1e9)
        return Finished(
            request_id=request.request_id,
            attempt=request.attempt,
            reason=done.reason,
            usage=msgspec.structs.replace(done.usage, load_ns=load_ns),
            context=(*done.prompt_token_ids, *active.token_ids) if request.want_context else (),
            dropped_messages_count=active.dropped_messages_count,
            dropped_tokens_count=active.dropped_tokens_count,
            shifted_tokens_count=done.shifted_tokens,
            context_tokens=done.context_tokens,
            stop_string=done.stop_string,
        )

    def _say(self, request: GenerationRequest, event: Event) -> None:
        self._outbox.put(request.gateway_id, [event])

    @staticmethod
    def _count(request: GenerationRequest, usage: Usage, outcome: str) -> None:
        metrics.GENERATIONS.labels(outcome).inc()
        metrics.PROMPT_TOKENS.labels("cached").inc(usage.cached_tokens)
        metrics.PROMPT_TOKENS.labels("computed").inc(usage.prompt_tokens - usage.cached_tokens)
        metrics.GENERATED_TOKENS.labels(request.model).inc(usage.generated_tokens)
        # How long the tokens of one that was left half-way took is not known; a smoke's few are nobody's measure.
        if usage.generated_tokens > 1 and usage.decode_ns and not request.is_smoke:
            gaps_count = usage.generated_tokens - 1
            metrics.TOKEN_SECONDS.labels(request.model).observe(usage.decode_ns / 1e9 / gaps_count)

    async def _forget(self, request: GenerationRequest, usage: Usage) -> None:
        """Remove the job and charge its user for the tokens computed."""
        tokens = usage.prompt_tokens - usage.cached_tokens + usage.generated_tokens
        try:
            await self._queue.finish(request, cost=token_cost(tokens, request.weight))
        except (RedisError, OSError) as cause:
            # The job's TTL removes it.
            log.warning("job_not_removed", request_id=request.request_id, cause=str(cause))


def _read(active: Active, event: TokensOut) -> Delta | None:
    """What the tokens mean; None when they mean nothing, and then the generation is over."""
    active.token_ids += event.token_ids
    try:
        piece = active.parser.feed(event.text)
    except CorralError as error:
        _end(active, error)
        return None
    except Exception:
        # The other events of this step, and the pipe they came through, are other people's.
        log.exception("output_not_read", request_id=active.request.request_id)
        _end(active, InternalError("internal error; the worker's log has the details"))
        return None
    return _delta(active, msgspec.structs.replace(piece, logprobs=event.logprobs), event.token_ids)


def _end(active: Active, error: CorralError) -> None:
    if not active.ending.done():
        active.ending.set_exception(error)


def _computed(active: Active) -> Usage:
    """What was computed for a generation, however it ended; counted tokens were not."""
    if active.request.count_only:
        return Usage()
    return active.usage or Usage(generated_tokens=len(active.token_ids))


def _delta(active: Active, piece: Piece, token_ids: tuple[int, ...]) -> Delta:
    request = active.request
    return Delta(request_id=request.request_id, attempt=request.attempt, piece=piece, token_ids=token_ids)


def _truncated(active: Active) -> Truncated:
    return Truncated(
        request_id=active.request.request_id,
        attempt=active.request.attempt,
        dropped_messages_count=active.dropped_messages_count,
        dropped_tokens_count=active.dropped_tokens_count,
    )


def _messages_count(prompt: Prompt) -> int:
    return len(prompt.messages) if isinstance(prompt, ChatPrompt) else 0


def _check_kind(request: GenerationRequest, resident: Resident) -> None:
    """Raises: CapabilityMissing when vectors are asked of a model that was opened to write text, or text of one that
    was opened to embed: names that share weights may differ in what they claim to be able to do.
    """
    wants_vectors = isinstance(request.prompt, EmbedPrompt)
    if wants_vectors != resident.entry.embeds:
        wanted = "embeddings" if wants_vectors else "generation"
        raise CapabilityMissing(f"{request.model} does not support {wanted}")


def _embedded(request: GenerationRequest, event: VectorsOut) -> Embedded:
    return Embedded(
        request_id=request.request_id,
        attempt=request.attempt,
        vectors=event.vectors,
        truncated_count=event.truncated_count,
    )


def _failed(request: GenerationRequest, error: CorralError) -> Failed:
    return Failed(request_id=request.request_id, attempt=request.attempt, error=error.info())


def _settle(ending: "asyncio.Future[SequenceFinished]", event: SequenceEvent) -> None:
    match event:
        case SequenceFinished():
            ending.set_result(event)
        case SequenceFailed(_, error):
            ending.set_exception(RemoteError(error))
