"""`POST /api/embed`, `POST /api/embeddings` and `POST /v1/embeddings`: texts to vectors."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from aiohttp import hdrs, web

from services.gateway import metrics
from services.gateway.capabilities import embedding_refusal
from services.gateway.dialects import embeddings
from services.gateway.dialects.embeddings import EmbedCall
from services.gateway.dialects.embeddings_reply import Embedding, embed_parts, embeddings_parts, openai_parts
from services.gateway.dialects.ollama_reply import WHOLE
from services.gateway.dispatch import Dispatcher
from services.gateway.generation_requests import GenerationRequests
from services.gateway.handlers.notices import TRUNCATED_HEADER
from services.gateway.handlers.serving import PRINCIPAL, SERVED, Served, read_body
from services.gateway.open_generation import OpenGeneration
from services.gateway.unloading import Unloader
from shared.errors import CorralError, ModelUnknown, ParameterInvalid, RemoteError
from shared.generation import Embedded, EmbedPrompt, Failed, Finished, LoadOnly, Started
from shared.model_index import ModelEntry

_PARTS_PER_TURN: Final = 16
"""Vectors written before everybody else on the event loop has a turn: a millisecond or two."""

_Parts = Callable[[EmbedCall, Embedding], Iterator[bytes]]


class Embeddings:
    def __init__(
        self, requests: GenerationRequests, dispatcher: Dispatcher, unloader: Unloader, *, inputs_max: int
    ) -> None:
        self._requests = requests
        self._dispatcher = dispatcher
        self._unloader = unloader
        self._inputs_max = inputs_max

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/api/embed", self.embed)
        app.router.add_post("/api/embeddings", self.embeddings)
        app.router.add_post("/v1/embeddings", self.openai)

    async def embed(self, request: web.Request) -> web.Response:
        call = embeddings.parse_embed(await read_body(request))
        return await self._answer(request, call, embed_parts, if_empty=ModelUnknown("model '' not found"))

    async def embeddings(self, request: web.Request) -> web.Response:
        call = embeddings.parse_embeddings(await read_body(request))
        return await self._answer(request, call, embeddings_parts, if_empty=ParameterInvalid("model is required"))

    async def openai(self, request: web.Request) -> web.Response:
        call = embeddings.parse_openai(await read_body(request))
        return await self._answer(request, call, openai_parts, if_empty=ModelUnknown("model '' not found"))

    async def _answer(
        self, request: web.Request, call: EmbedCall, parts: _Parts, *, if_empty: CorralError
    ) -> web.Response:
        unknown = ModelUnknown(f'model "{call.model}" not found, try pulling it first')
        entry = await self._requests.resolve(call.model, if_empty=if_empty, if_unknown=unknown)
        request[SERVED].model = entry.name.full
        embedding = await self._embedding(request, call, entry)
        headers: dict[str, str] = {hdrs.CONTENT_TYPE: WHOLE}
        if embedding.truncated_count:
            headers[TRUNCATED_HEADER] = f"inputs={embedding.truncated_count}"
        return web.Response(body=await _joined(parts(call, embedding)), headers=headers)

    async def _embedding(self, request: web.Request, call: EmbedCall, entry: ModelEntry) -> Embedding:
        """Raises: CorralError."""
        if call.unloads:
            await self._unloader.unload(entry.weights)
            return Embedding()
        refused = embedding_refusal(entry, requested=call.model)
        if refused is not None:
            raise refused
        if len(call.inputs) > self._inputs_max:
            raise ParameterInvalid(f"{len(call.inputs)} inputs are more than the {self._inputs_max} accepted at once")
        generation = self._requests.build(
            entry,
            EmbedPrompt(inputs=call.inputs) if call.inputs else LoadOnly(),
            request_id=request[SERVED].request_id,
            principal=request[PRINCIPAL],
            options=call.options,
            keep_alive_s=call.keep_alive_s,
            truncate=call.truncate,
        )
        async with self._dispatcher.generation(generation) as opened:
            embedding = await _collected(opened, request[SERVED])
        return embedding if call.inputs else Embedding()


async def _collected(opened: OpenGeneration, served: Served) -> Embedding:
    """All vectors of one generation.

    Raises: RemoteError.
    """
    packed: list[bytes] = []
    truncated_count = load_ns = 0
    async for batch in opened.batches():
        for event in batch:
            match event:
                case Started():
                    # Another attempt begins anew; nothing of the lost one was shown to anybody.
                    packed, truncated_count, load_ns = [], 0, served.elapsed_ns()
                case Embedded():
                    packed.extend(event.vectors)
                    truncated_count += event.truncated_count
                case Failed():
                    raise RemoteError(event.error)
                case Finished():
                    served.prompt_tokens = event.usage.prompt_tokens
                    metrics.PROMPT_TOKENS.labels(model=served.model).inc(event.usage.prompt_tokens)
                    return Embedding(
                        packed=packed,
                        prompt_tokens=event.usage.prompt_tokens,
                        total_ns=served.elapsed_ns(),
                        load_ns=event.usage.load_ns or load_ns,
                        truncated_count=truncated_count,
                    )
    raise AssertionError("a generation ends with Finished or Failed")


async def _joined(parts: Iterable[bytes]) -> bytes:
    """The parts as one body, written with pauses.

    Raises: ParameterInvalid.
    """
    body = bytearray()
    for number, part in enumerate(parts, start=1):
        body += part
        if number % _PARTS_PER_TURN == 0:
            await asyncio.sleep(0)
    return bytes(body)
