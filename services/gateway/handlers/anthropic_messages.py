"""`POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's dialect."""

from aiohttp import web
from msgspec.structs import replace

from services.gateway import capabilities
from services.gateway.conversation import Conversation
from services.gateway.dialects import anthropic
from services.gateway.dialects.anthropic import AnthropicCall
from services.gateway.dialects.anthropic_reply import AnthropicReply
from services.gateway.dispatch import Dispatcher
from services.gateway.generation_requests import GenerationRequests
from services.gateway.handlers.relay import Relay
from services.gateway.handlers.serving import PRINCIPAL, SERVED, read_body
from services.gateway.prompts import prompt_of_chat, prompt_tokens_estimate
from shared.capabilities import Capability
from shared.errors import ParameterInvalid
from shared.generation import GenerationRequest
from shared.model_index import ModelEntry


class AnthropicMessages:
    def __init__(self, requests: GenerationRequests, dispatcher: Dispatcher) -> None:
        self._requests = requests
        self._dispatcher = dispatcher

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/messages", self.create)
        app.router.add_post("/v1/messages/count_tokens", self.count_tokens)

    async def create(self, request: web.Request) -> web.StreamResponse:
        call = anthropic.parse_messages(await read_body(request))
        generation = await self._generation(request, call)
        reply = AnthropicReply(
            call.model,
            request_id=generation.request_id,
            stop_sequences=call.stop_sequences,
            prompt_tokens_estimate=prompt_tokens_estimate(generation.prompt),
            shows_thinking=call.shows_thinking,
        )
        return await Relay(request, [generation], reply).run(self._dispatcher, stream=call.stream)

    async def count_tokens(self, request: web.Request) -> web.Response:
        """The exact number, by the model's own template and tokenizer; the model is loaded for it if need be."""
        call = anthropic.parse_count(await read_body(request))
        asked = await self._generation(request, call)
        # Not truncated: a conversation that lost messages would have another number.
        generation = replace(asked, count_only=True, truncate=False)
        request[SERVED].model = generation.model
        _, finished = await self._dispatcher.whole(generation)
        return web.json_response({"input_tokens": finished.usage.prompt_tokens})

    async def _generation(self, request: web.Request, call: AnthropicCall) -> GenerationRequest:
        entry = await self._requests.resolve(call.model, if_empty=ParameterInvalid("model is required"))
        capabilities.check(entry, call.asked, requested=call.model, verb="chat")
        return self._requests.build(
            entry,
            prompt_of_chat(_as_the_model_can(call.conversation, entry), entry),
            request_id=request[SERVED].request_id,
            principal=request[PRINCIPAL],
            options=call.options,
            sampling=call.sampling,
        )


def _as_the_model_can(conversation: Conversation, entry: ModelEntry) -> Conversation:
    """Nothing is said about thinking to a model that cannot; `anthropic_thinking.py` tells why."""
    return conversation if Capability.THINKING in entry.capabilities else replace(conversation, think=None)
