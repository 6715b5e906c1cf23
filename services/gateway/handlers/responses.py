"""`/v1/responses`: OpenAI's dialect with kept conversations."""

import time
from collections.abc import Sequence

import msgspec
from aiohttp import web

from services.gateway import capabilities
from services.gateway.conversation import check_messages_count
from services.gateway.dialects import responses, responses_ids
from services.gateway.dialects.responses import ResponsesCall
from services.gateway.dialects.responses_items import Item, read_input
from services.gateway.dialects.responses_list import item_list, read_page
from services.gateway.dialects.responses_reply import ResponseHead, ResponsesReply
from services.gateway.dispatch import Dispatcher
from services.gateway.generation_requests import GenerationRequests
from services.gateway.handlers.relay import Relay
from services.gateway.handlers.serving import PRINCIPAL, SERVED, read_body
from services.gateway.prompts import prompt_of_chat
from services.gateway.stored_responses import TURNS_MAX, Past, StoredResponse, StoredResponses
from shared.errors import ParameterInvalid, ResponseUnknown
from shared.generation import GenerationRequest


class _Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What is said before an answer: in earlier responses, and now."""

    past: Past
    input: tuple[Item, ...]


class Responses:
    def __init__(self, requests: GenerationRequests, dispatcher: Dispatcher, stored: StoredResponses) -> None:
        self._requests = requests
        self._dispatcher = dispatcher
        self._stored = stored

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/responses", self.create)
        app.router.add_get("/v1/responses/{id}", self.show, allow_head=False)
        app.router.add_delete("/v1/responses/{id}", self.delete)
        app.router.add_get("/v1/responses/{id}/input_items", self.input_items, allow_head=False)

    async def create(self, request: web.Request) -> web.StreamResponse:
        """The response is kept before its end is told, so that the next request can go on from it at once."""
        call = responses.parse(await read_body(request))
        turn = await self._turn(request, call)
        generation = await self._generation(request, call, turn)
        options = generation.options
        head = ResponseHead(
            request_id=request[SERVED].request_id,
            created_unix_s=int(time.time()),
            repeated={**call.repeated, "temperature": options.temperature, "top_p": options.top_p},
            namespaces=call.namespaces,
        )
        reply = ResponsesReply(head, is_kept=call.keep)

        async def last_event() -> bytes:
            await self._keep(request, reply, turn)
            return reply.last_event()

        response = await Relay(request, [generation], reply, last_bytes=last_event).run(
            self._dispatcher, stream=call.stream
        )
        if isinstance(response, web.Response):
            await self._keep(request, reply, turn)
            if reply.is_kept != call.keep:
                response.body = reply.body()
        return response

    async def show(self, request: web.Request) -> web.Response:
        if request.query.get("stream") == "true":
            raise ParameterInvalid("this server does not support streams of responses that have ended")
        stored = await self._stored.find(request[PRINCIPAL].user, _response_id(request))
        return web.Response(body=stored.body, content_type="application/json")

    async def delete(self, request: web.Request) -> web.Response:
        response_id = _response_id(request)
        await self._stored.delete(request[PRINCIPAL].user, response_id)
        return web.json_response({"id": response_id, "object": "response", "deleted": True})

    async def input_items(self, request: web.Request) -> web.Response:
        """All that the model was given, earlier responses included."""
        page = read_page(request.query)
        user = request[PRINCIPAL].user
        stored = await self._stored.find(user, _response_id(request))
        earlier = await self._stored.before(user, stored)
        items = [*(item for one in earlier for item in one.items), *stored.input]
        return web.Response(body=msgspec.json.encode(item_list(items, page)), content_type="application/json")

    async def _turn(self, request: web.Request, call: ResponsesCall) -> _Turn:
        """Raises: ResponseUnknown, ParameterInvalid, TooLarge, Unavailable."""
        user, past = request[PRINCIPAL].user, Past()
        if call.previous_response_id:
            if not responses_ids.is_response_id(call.previous_response_id):
                raise ResponseUnknown(f"Previous response with id '{call.previous_response_id}' not found.")
            past = await self._stored.past(user, call.previous_response_id)
        items = await self._resolved(user, call.items, past)
        check_messages_count(len(past.items) + len(items))
        responses_ids.check_size((*past.items, *items), bytes_max=request.client_max_size)
        return _Turn(past=past, input=responses_ids.with_ids(items, request[SERVED].request_id))

    async def _resolved(self, user: str, items: Sequence[Item], past: Past) -> Sequence[Item]:
        """The items with what their references refer to, in this conversation or any other of the user's."""
        origins = responses_ids.origins(items)
        if not origins:
            return items
        if len(origins) > TURNS_MAX:
            raise ParameterInvalid(f"a request may refer to items of at most {TURNS_MAX} responses")
        known = await self._stored.some(user, origins)
        return responses_ids.resolved(items, [*past.items, *(item for one in known for item in one.items)])

    async def _generation(self, request: web.Request, call: ResponsesCall, turn: _Turn) -> GenerationRequest:
        entry = await self._requests.resolve(call.model, if_empty=ParameterInvalid("model is required"))
        conversation = responses.conversation_of(call, (*turn.past.items, *turn.input))
        asked = responses.asked_of(call, conversation)
        capabilities.check(entry, asked, requested=call.model, verb="chat")
        return self._requests.build(
            entry,
            prompt_of_chat(conversation, entry),
            request_id=request[SERVED].request_id,
            principal=request[PRINCIPAL],
            options=call.options,
            sampling=call.sampling,
            truncate=call.truncate,
        )

    async def _keep(self, request: web.Request, reply: ResponsesReply, turn: _Turn) -> None:
        """Keep what has ended well, if that is wanted; the reply tells what came of it."""
        if reply.ended is None or not reply.is_kept:
            return
        response = StoredResponse(
            body=reply.body(),
            input=turn.input,
            output=read_input(reply.ended["output"]),
            earlier=turn.past.response_ids,
        )
        reply.is_kept = await self._stored.keep(request[PRINCIPAL].user, reply.response_id, response)


def _response_id(request: web.Request) -> str:
    """Raises: ResponseUnknown for what is no id of ours."""
    response_id = request.match_info["id"]
    if not responses_ids.is_response_id(response_id):
        raise ResponseUnknown(f"Response with id '{response_id}' not found.")
    return response_id
