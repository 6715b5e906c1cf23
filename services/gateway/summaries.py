"""Summaries in place of old turns, for keys that ask for them: counts, looks up, generates, keeps. Not HTTP.

Counting and summarizing are generations of their own, charged to the same user. A summary is kept in Redis under the
digest of all that it sums up, so a conversation that goes on is summarized from there on and not from its beginning.
An empty one marks, for a while, that there was none to be had: a failure is not paid for again with every turn.
"""

import itertools
from collections.abc import Iterator
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from services.gateway import condensing
from services.gateway.condensing import Size
from services.gateway.dispatch import Dispatcher
from services.gateway.redis_guard import redis_guard
from shared import keys
from shared.errors import ContextLengthExceeded, CorralError, RemoteError
from shared.generation import PLAIN_SAMPLING, ChatPrompt, GenerationRequest, RequestId

log = structlog.get_logger("corral.gateway")

PORTIONS_MAX: Final = 8
"""A conversation that needs more summaries than this at once is left to its dialect's own rule."""
FAILURE_LIFE_S: Final = 300.0
"""So long a conversation rests after a summary that failed, or the life of summaries if that is shorter."""


class Condensed(msgspec.Struct, frozen=True):
    """What to generate from, and for how many messages a summary stands in it."""

    prompt: ChatPrompt
    summarized_count: int


class Summaries:
    def __init__(self, redis: Redis, dispatcher: Dispatcher, *, life_s: float, redis_wait_s: float) -> None:
        self._redis = redis
        self._dispatcher = dispatcher
        self._life_s = life_s
        self._redis_wait_s = redis_wait_s

    async def condensed(self, generation: GenerationRequest) -> Condensed | None:
        """The conversation with a summary of its older turns; None where it has room, or where that is not possible.

        A summary that fails is no reason to fail: the dialect's own rule then says what becomes of a long conversation.
        """
        prompt = generation.prompt
        if not isinstance(prompt, ChatPrompt) or not condensing.cuts(prompt):
            return None
        job = _Job(self._dispatcher, generation)
        try:
            size = await job.count(prompt)
            return await self._condensed(job, prompt, size) if size.is_full else None
        except CorralError as error:
            log.warning("summary_failed", request_id=generation.request_id, code=error.code)
            return None

    async def _condensed(self, job: "_Job", prompt: ChatPrompt, size: Size) -> Condensed | None:
        """Raises: CorralError."""
        request = job.request
        names = condensing.fingerprints(prompt, weights=request.weights, tenant=request.tenant)
        known = await self._known(names)
        latest = max((cut for cut in condensing.cuts(prompt) if known.get(cut)), default=None)
        if latest is not None:
            again = condensing.condensed(prompt, known[latest], latest)
            if not (await job.count(again)).is_full:
                return Condensed(again, condensing.summarized_count(prompt, latest))
        cut = condensing.chosen_cut(prompt, size)
        if cut is None or "" in known.values():
            return None
        begin = max((place for place in known if place <= cut), default=prompt.model_messages_count)
        summary = known.get(begin, "")
        parts = list(condensing.portions(prompt, size, begin, cut))
        if len(parts) > PORTIONS_MAX:
            return None
        for start, end in parts:
            summary = await job.summary(condensing.summary_request(prompt, summary, start, end), size)
            await self._keep(names[end], summary)
            if not summary:
                return None
        count = condensing.summarized_count(prompt, cut)
        log.info("conversation_summarized", request_id=request.request_id, messages_count=count, parts_count=len(parts))
        return Condensed(condensing.condensed(prompt, summary, cut), count)

    async def _known(self, names: list[str]) -> dict[int, str]:
        """The summaries there are, and the marks of those that failed, by the number of messages they stand for."""
        async with redis_guard(self._redis_wait_s):
            found = await self._redis.mget([keys.summary(name) for name in names])
        return {place: text.decode() for place, text in enumerate(found) if text is not None}

    async def _keep(self, name: str, summary: str) -> None:
        life_s = self._life_s if summary else min(FAILURE_LIFE_S, self._life_s)
        async with redis_guard(self._redis_wait_s):
            await self._redis.set(keys.summary(name), summary, px=round(life_s * 1000))


class _Job:
    """The generations that one request needs before its own."""

    def __init__(self, dispatcher: Dispatcher, request: GenerationRequest) -> None:
        self.request = request
        self._dispatcher = dispatcher
        self._numbers: Iterator[int] = itertools.count(1)

    async def count(self, prompt: ChatPrompt) -> Size:
        """Raises: CorralError."""
        try:
            _, finished = await self._dispatcher.whole(msgspec.structs.replace(self._plain(prompt), count_only=True))
        except RemoteError as error:
            if error.code != ContextLengthExceeded.code:
                raise
            return Size(int(error.detail["prompt_tokens"]), int(error.detail["context_tokens"]))
        return Size(finished.usage.prompt_tokens, finished.context_tokens)

    async def summary(self, prompt: ChatPrompt, size: Size) -> str:
        """What the model makes of it; empty when it failed.

        Raises: CorralError when the model was never asked.
        """
        options = msgspec.structs.replace(
            self.request.options,
            temperature=0.0,
            num_predict=condensing.summary_tokens_max(size.context_tokens),
            stop=(),
        )
        try:
            text, _ = await self._dispatcher.whole(msgspec.structs.replace(self._plain(prompt), options=options))
        except RemoteError as error:
            log.warning("summary_failed", request_id=self.request.request_id, code=error.code)
            return ""
        return text.strip()

    def _plain(self, prompt: ChatPrompt) -> GenerationRequest:
        """A generation beside the request's own, with nothing of what the client wants of the answer.

        How long the model stays is left to the request's own generation, which still needs it.
        """
        return msgspec.structs.replace(
            self.request,
            request_id=RequestId(f"{self.request.request_id}-{next(self._numbers)}"),
            prompt=prompt,
            sampling=PLAIN_SAMPLING,
            keep_alive_s=None,
            truncate=False,
            shift=False,
            want_context=False,
        )
