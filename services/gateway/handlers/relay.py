"""From the events of a reply's generations to HTTP, streamed or whole, in whatever dialect the reply speaks."""

from collections.abc import Iterable, Sequence

from aiohttp import hdrs, web

from services.gateway import metrics
from services.gateway.dispatch import Dispatcher
from services.gateway.handlers.serving import SERVED, Served
from services.gateway.open_generations import OpenGenerations
from services.gateway.reply import Answer, Outcome, Reply
from shared.errors import RemoteError
from shared.generation import Delta, Event, Failed, Finished, GenerationRequest, Piece, Truncated, joined

TRUNCATED_HEADER = "X-Corral-Truncated"
POSITION_HEADER = "X-Corral-Queue-Position"
# Chunks are for the client now, not for a proxy's buffer or cache.
_STREAM_HEADERS = {hdrs.CACHE_CONTROL: "no-cache", "X-Accel-Buffering": "no"}


class Relay:
    """Runs the generations of one HTTP request, which are all of one model."""

    def __init__(self, request: web.Request, generations: Sequence[GenerationRequest], reply: Reply) -> None:
        self._request = request
        self._generations = generations
        self._reply = reply
        self._served: Served = request[SERVED]
        self._model = generations[0].model
        self._served.model = self._model
        self._load_ns = 0
        self._dropped_count = 0
        self._unfinished_count = len(generations)

    async def run(self, dispatcher: Dispatcher, *, stream: bool) -> web.StreamResponse:
        """Raises: CorralError as long as no byte was sent; later failures end the stream with an error event."""
        async with dispatcher.generations(self._generations) as opened:
            return await (self._streamed(opened, dispatcher) if stream else self._whole(opened))

    async def _streamed(self, opened: OpenGenerations, dispatcher: Dispatcher) -> web.StreamResponse:
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: self._reply.stream_content_type, **_STREAM_HEADERS})
        try:
            async for batch in opened.batches():
                body = b"".join(self._framed(batch, has_begun=response.prepared)) if batch else self._reply.heartbeat()
                if not body:
                    continue
                if not response.prepared:
                    if not batch and (position := await dispatcher.position(opened)) is not None:
                        response.headers[POSITION_HEADER] = str(position)
                    if self._dropped_count:
                        response.headers[TRUNCATED_HEADER] = _truncation(self._dropped_count)
                    await response.prepare(self._request)
                if not self._unfinished_count:
                    await response.write_eof(body)
                    break
                await response.write(body)
        except ConnectionResetError:
            # The client left between two events; leaving the block withdraws the jobs.
            self._served.outcome = "cancelled"
        return response

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
                Answer(piece=joined(parts), outcome=outcome)
                for parts, outcome in zip(pieces, outcomes, strict=True)
                if outcome is not None
            ]
        )

    def _whole_response(self, answers: Sequence[Answer]) -> web.Response:
        assert len(answers) == len(self._generations), "a generation ends with Finished or Failed"
        headers: dict[str, str] = {hdrs.CONTENT_TYPE: self._reply.whole_content_type}
        dropped_count = max(answer.outcome.dropped_messages_count for answer in answers)
        if dropped_count:
            headers[TRUNCATED_HEADER] = _truncation(dropped_count)
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
                self._dropped_count = max(self._dropped_count, event.dropped_messages_count)
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
        )


def _truncation(dropped_messages_count: int) -> str:
    """What the conversation lost to fit its context."""
    return f"messages={dropped_messages_count}"
