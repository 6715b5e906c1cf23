"""From a parsed call and its caller to the job a worker can run: model look-up, options, cost. Not HTTP."""

from collections.abc import Mapping
from typing import Final

from services.gateway.access import Principal
from services.gateway.prompts import prompt_tokens_estimate
from services.gateway.redis_guard import redis_guard
from shared.clock import Clock
from shared.errors import CorralError, ModelUnknown
from shared.generation import PLAIN_SAMPLING, EmbedPrompt, GenerationRequest, Prompt, RequestId, Sampling
from shared.generation_queue import token_cost
from shared.local_names import parse_local_name
from shared.model_index import ModelEntry, ModelIndex
from shared.options import merged, options_from

OUTPUT_TOKENS_ESTIMATE: Final = 256
COUNT_COST: Final = 1  # nothing is computed


class GenerationRequests:
    """Makes jobs of this gateway."""

    def __init__(
        self, *, index: ModelIndex, clock: Clock, gateway_id: str, deadline_s: float, redis_wait_s: float
    ) -> None:
        self._index = index
        self._clock = clock
        self._gateway_id = gateway_id
        self._deadline_s = deadline_s
        self._redis_wait_s = redis_wait_s

    async def resolve(
        self, requested: str, *, if_empty: CorralError, if_unknown: CorralError | None = None
    ) -> ModelEntry:
        """The model a client asks for by `requested`.

        Raises: `if_empty`, `if_unknown` or else ModelUnknown in generate's words, Unavailable, and what
            `parse_local_name` raises.
        """
        if not requested:
            raise if_empty
        name = parse_local_name(requested)
        async with redis_guard(self._redis_wait_s):
            entry = await self._index.find(name)
        if entry is None:
            raise if_unknown or ModelUnknown(f"model '{requested}' not found")
        return entry

    def build(
        self,
        entry: ModelEntry,
        prompt: Prompt,
        *,
        request_id: str,
        principal: Principal,
        options: Mapping[str, object],
        sampling: Sampling = PLAIN_SAMPLING,
        keep_alive_s: float | None = None,
        truncate: bool = False,
        shift: bool = False,
        want_context: bool = False,
    ) -> GenerationRequest:
        """Raises: OptionTypeInvalid."""
        return GenerationRequest(
            request_id=RequestId(request_id),
            gateway_id=self._gateway_id,
            model=entry.name.full,
            weights=entry.weights,
            prompt=prompt,
            options=options_from(merged(entry.params, options)),
            sampling=sampling,
            keep_alive_s=keep_alive_s,
            truncate=truncate,
            shift=shift,
            tenant=principal.tenant,
            user=principal.user,
            weight=principal.weight,
            want_context=want_context,
            deadline_unix_ms=self._clock.unix_ms() + int(self._deadline_s * 1000),
        )


def cost_of(request: GenerationRequest) -> int:
    """What the fair queue charges in advance: the prompt and the most that may come out, as far as that is known."""
    if request.count_only:
        return COUNT_COST
    wanted = request.options.num_predict
    output_tokens = wanted if wanted > 0 else OUTPUT_TOKENS_ESTIMATE
    if isinstance(request.prompt, EmbedPrompt):
        output_tokens = 0
    return token_cost(prompt_tokens_estimate(request.prompt) + output_tokens, request.weight)
