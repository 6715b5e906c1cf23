"""From the events of a reply's generations to HTTP, streamed or whole, in whatever dialect the reply speaks."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec
from aiohttp import hdrs, web

from services.gateway import metrics
from services.gateway.dispatch import Dispatcher
from services.gateway.handlers.notices import truncation_headers, waiting_headers
from services.gateway.handlers.serving import PRINCIPAL, SERVED, Served
from services.gateway.open_generations import OpenGenerations
from services.gateway.reply import Answer, Outcome, Reply, losses_of, worst
from services.gateway.summaries import Summaries
from shared.errors import CorralError, RemoteError
from shared.generation import Delta, Event, Failed, Finished, GenerationRequest, Piece, Truncated

SUMMARIES = web.AppKey("summaries", Summaries)
# Chunks are for the client now, not for a proxy's buffer or cache.
_STREAM_HEADERS = {hdrs.CACHE_CONTROL: "no-cache", "X-Accel-Buffering": "no"}


async def _nothing() -> bytes:
    return b""


class Relay:
    """Runs the generations of one HTTP request, which are all of one model.

    `last_bytes` end a stream after its reply's own end; what must have happened before the client knows that the
    stream is over, happens there.
    """

    def __init__(
        self,
        request: web.Request,
        generations: Sequence[GenerationRequest],
        reply: Reply,
        *,
        last_bytes: Callable[[], Awaitable[bytes]] = _nothing,
    ) -> None:
        self._request = request
        self._generations = generations
        self._reply = reply
        self._last_bytes = last_bytes
        self._served: Served = request[SERVED]
        self._model = generations[0].model
        self._served.model = self._model
        self._load_ns = 0
        self._losses: dict[str, int] = {}
        self._summarized_count = 0
        self._unfinished_count = len(generations)

    async def run(self, dispatcher: Dispatcher, *, stream: bool) -> web.StreamResponse:
        """Raises: CorralError as long as no byte was sent; later failures end the stream with an error event."""
        summarizes = self._request[PRINCIPAL].summarizes
        if not stream:
            if summarizes:
                await self._condense()
            async with dispatcher.generations(self._generations) as opened:
                return await self._whole(opened)
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: self._reply.stream_content_type, **_STREAM_HEADERS})
        try:
            if summarizes:
                await self._condense_alive(response, heartbeat_s=dispatcher.heartbeat_s)
            async with dispatcher.generations(self._generations) as opened:
                await self._stream(response, opened, dispatcher)
        except ConnectionResetError:
            # The client left between two events; leaving the block withdraws the jobs.
            self._served.outcome = "cancelled"
        except CorralError as error:
            if not response.prepared:
                raise
            self._served.outcome = "error"
            with contextlib.suppress(ConnectionResetError):
                await response.write_eof(self._reply.stream_error(error.info()))
        return response

    async def _condense(self) -> None:
        """Put a summary in place of old turns, where the conversation needs it."""
        prompt = self._generations[0].prompt
        found = await self._request.app[SUMMARIES].condensed(self._generations[0])
        if found is not None:
            self._generations = [
                msgspec.structs.replace(one, prompt=found.prompt) if one.prompt == prompt else one
                for one in self._generations
            ]
            self._summarized_count = found.summarized_count
            self._losses = {"summarized_messages_count": found.summarized_count}

    async def _condense_alive(self, response: web.StreamResponse, *, heartbeat_s: float) -> None:
        """The same for a stream, which says that it is alive meanwhile."""
        condensing = asyncio.ensure_future(self._condense())
        try:
            while not (await asyncio.wait([condensing], timeout=heartbeat_s))[0]:
                if not response.prepared:
                    await response.prepare(self._request)
                await response.write(self._reply.heartbeat())
            condensing.result()
        finally:
            condensing.cancel()
            await asyncio.wait([condensing])

    async def _stream(self, response: web.StreamResponse, opened: OpenGenerations, dispatcher: Dispatcher) -> None:
        async for batch in opened.batches():
            body = b"".join(self._framed(batch, has_begun=response.prepared)) if batch else self._reply.heartbeat()
            if not body and self._unfinished_count:
                continue
            if not response.prepared:
                if not batch and not opened.is_started:
                    waits = waiting_headers(await dispatcher.position(opened), dispatcher.progress(opened))
                    response.headers.update(waits)
                response.headers.update(truncation_headers(self._losses))
                await response.prepare(self._request)
            if not self._unfinished_count:
                await response.write_eof(body + await self._last_bytes())
                break
            await response.write(body)

    async def _whole(self, opened: OpenGenerations) -> web.Response:
        pieces: list[list[Piece]] = [[] for _ in self._generations]
        outcomes: list[Outcome | None] = [None for _ in self._generations]
        async for batch in opened.batches():
            for index, event in batch:
                match event:
                    case Delta():
                        self._note_piece(event.piece)
                        pieces[index].append(event.piece)
                    case Failed():
                        raise RemoteError(event.error)
                    case Finished():
                        outcomes[index] = self._outcome(event)
                    case _:
                        self._note_start()
        return self._whole_response(
            [
                Answer(pieces=tuple(parts), outcome=outcome)
                for parts, outcome in zip(pieces, outcomes, strict=True)
                if outcome is not None
            ]
        )

    def _whole_response(self, answers: Sequence[Answer]) -> web.Response:
        assert len(answers) == len(self._generations), "a generation ends with Finished or Failed"
        losses = losses_of(answer.outcome for answer in answers)
        headers = {hdrs.CONTENT_TYPE: self._reply.whole_content_type, **truncation_headers(losses)}
        return web.Response(body=self._reply.whole(answers), headers=headers)

    def _framed(self, batch: Sequence[tuple[int, Event]], *, has_begun: bool) -> Iterable[bytes]:
        """The bytes of the events that have arrived together; nothing follows an error.

        Raises: RemoteError when a generation failed before the first byte.
        """
        for index, event in batch:
            if isinstance(event, Delta):
                if event.piece:
                    self._note_piece(event.piece)
                    has_begun = True
                    yield self._reply.delta(event.piece, index)
            elif isinstance(event, Finished):
                has_begun = True
                self._unfinished_count -= 1
                yield self._reply.end(self._outcome(event), index)
            elif isinstance(event, Failed):
                if not has_begun:
                    raise RemoteError(event.error)
                self._served.outcome = "error"
                self._unfinished_count = 0
                yield self._reply.stream_error(event.error)
                return
            elif isinstance(event, Truncated):
                lost = {
                    "dropped_messages_count": event.dropped_messages_count,
                    "dropped_tokens_count": event.dropped_tokens_count,
                }
                self._losses = worst([self._losses, lost])
            else:
                self._note_start()

    def _note_start(self) -> None:
        self._load_ns = self._served.elapsed_ns()

    def _note_piece(self, piece: Piece) -> None:
        if piece and self._served.ttft_ms is None:
            elapsed_ns = self._served.elapsed_ns()
            self._served.ttft_ms = round(elapsed_ns / 1e6, 3)
            metrics.TIME_TO_FIRST_TOKEN_SECONDS.labels(model=self._model).observe(elapsed_ns / 1e9)

    def _outcome(self, event: Finished) -> Outcome:
        usage, served, model = event.usage, self._served, self._model
        served.prompt_tokens += usage.prompt_tokens
        served.generated_tokens += usage.generated_tokens
        metrics.PROMPT_TOKENS.labels(model=model).inc(usage.prompt_tokens)
        metrics.GENERATED_TOKENS.labels(model=model).inc(usage.generated_tokens)
        return Outcome(
            reason=event.reason,
            usage=usage,
            total_ns=served.elapsed_ns(),
            load_ns=usage.load_ns or self._load_ns,
            context=event.context,
            dropped_messages_count=event.dropped_messages_count,
            stop_string=event.stop_string,
            summarized_messages_count=self._summarized_count,
            dropped_tokens_count=event.dropped_tokens_count,
            shifted_tokens_count=event.shifted_tokens_count,
        )
