"""From a generation's events to an HTTP reply, streamed or whole, in whatever dialect the reply speaks."""

from collections.abc import Iterable

from aiohttp import hdrs, web

from services.gateway import metrics
from services.gateway.dispatch import Dispatcher
from services.gateway.generation_requests import cost_of
from services.gateway.handlers.serving import SERVED, Served
from services.gateway.open_generation import OpenGeneration
from services.gateway.reply import Outcome, Reply
from shared.errors import RemoteError
from shared.generation import Delta, Event, Failed, Finished, GenerationRequest, Started

DROPPED_HEADER = "X-Corral-Dropped-Messages"
# Chunks are for the client now, not for a proxy's buffer or cache.
_STREAM_HEADERS = {hdrs.CACHE_CONTROL: "no-cache", "X-Accel-Buffering": "no"}


class Relay:
    """Runs one generation for one HTTP request."""

    def __init__(self, request: web.Request, generation: GenerationRequest, reply: Reply) -> None:
        self._request = request
        self._generation = generation
        self._reply = reply
        self._served: Served = request[SERVED]
        self._served.model = generation.model
        self._load_ns = 0

    async def run(self, dispatcher: Dispatcher, *, stream: bool) -> web.StreamResponse:
        """Raises: CorralError as long as no byte was sent; later failures end the stream with an error event."""
        async with dispatcher.generation(self._generation, cost=cost_of(self._generation)) as opened:
            return await (self._streamed(opened) if stream else self._whole(opened))

    async def _streamed(self, opened: OpenGeneration) -> web.StreamResponse:
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: self._reply.stream_content_type, **_STREAM_HEADERS})
        try:
            async for batch in opened.batches():
                body = b"".join(self._framed(batch, has_begun=response.prepared))
                if not body:
                    continue
                if not response.prepared:
                    await response.prepare(self._request)
                if isinstance(batch[-1], Finished | Failed):
                    await response.write_eof(body)
                else:
                    await response.write(body)
        except ConnectionResetError:
            # The client left between two events; leaving the block withdraws the job.
            self._served.outcome = "cancelled"
        return response

    async def _whole(self, opened: OpenGeneration) -> web.Response:
        texts: list[str] = []
        async for batch in opened.batches():
            for event in batch:
                match event:
                    case Delta():
                        self._note_text(event.text)
                        texts.append(event.text)
                    case Started():
                        self._load_ns = self._served.elapsed_ns()
                    case Failed():
                        raise RemoteError(event.error)
                    case Finished():
                        return self._whole_response("".join(texts), self._outcome(event))
        raise AssertionError("a generation ends with Finished or Failed")

    def _whole_response(self, text: str, outcome: Outcome) -> web.Response:
        headers: dict[str, str] = {hdrs.CONTENT_TYPE: self._reply.whole_content_type}
        if outcome.dropped_messages_count:
            headers[DROPPED_HEADER] = str(outcome.dropped_messages_count)
        return web.Response(body=self._reply.whole(text, outcome), headers=headers)

    def _framed(self, batch: list[Event], *, has_begun: bool) -> Iterable[bytes]:
        """The bytes of the events that have arrived together.

        Raises: RemoteError when the generation failed before its first byte.
        """
        for event in batch:
            if isinstance(event, Delta):
                if event.text:
                    self._note_text(event.text)
                    has_begun = True
                    yield self._reply.delta(event.text)
            elif isinstance(event, Finished):
                yield self._reply.end(self._outcome(event))
            elif isinstance(event, Failed):
                if not has_begun:
                    raise RemoteError(event.error)
                self._served.outcome = "error"
                yield self._reply.stream_error(event.error)
            else:
                self._load_ns = self._served.elapsed_ns()

    def _note_text(self, text: str) -> None:
        if text and self._served.ttft_ms is None:
            elapsed_ns = self._served.elapsed_ns()
            self._served.ttft_ms = round(elapsed_ns / 1e6, 3)
            metrics.TIME_TO_FIRST_TOKEN_SECONDS.labels(model=self._generation.model).observe(elapsed_ns / 1e9)

    def _outcome(self, event: Finished) -> Outcome:
        usage, served, model = event.usage, self._served, self._generation.model
        served.prompt_tokens, served.generated_tokens = usage.prompt_tokens, usage.generated_tokens
        metrics.PROMPT_TOKENS.labels(model=model).inc(usage.prompt_tokens)
        metrics.GENERATED_TOKENS.labels(model=model).inc(usage.generated_tokens)
        return Outcome(
            reason=event.reason,
            usage=usage,
            total_ns=served.elapsed_ns(),
            load_ns=usage.load_ns or self._load_ns,
            context=event.context,
            dropped_messages_count=event.dropped_messages_count,
        )
