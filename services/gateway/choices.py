"""Several generations for one HTTP request, as OpenAI's `n` and lists of prompts ask for. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from shared.errors import ParameterInvalid
from shared.generation import GenerationRequest, Prompt, RequestId

BODIES_MAX: Final = 4
"""How many of the largest bodies the prompts of all choices may weigh: each choice waits in Redis with its own."""


def check_count(prompts_count: int, choices_per_prompt: int, *, choices_max: int) -> None:
    """Raises: ParameterInvalid when that is nothing, or more than one request may ask for."""
    if choices_per_prompt < 1:
        raise ParameterInvalid("n must be at least 1")
    count = prompts_count * choices_per_prompt
    if count > choices_max:
        raise ParameterInvalid(f"this request asks for {count} answers; at most {choices_max} are given at once")


def check_size(prompts: Sequence[Prompt], choices_per_prompt: int, *, body_bytes_max: int) -> None:
    """Raises: ParameterInvalid when the prompts of all choices would be too large together."""
    size_bytes = choices_per_prompt * sum(len(msgspec.msgpack.encode(prompt)) for prompt in prompts)
    limit = BODIES_MAX * body_bytes_max
    if size_bytes > limit:
        raise ParameterInvalid(
            f"the prompts of all answers together have {size_bytes} bytes; at most {limit} are accepted: "
            "ask for fewer answers at once"
        )


def spread(
    request: GenerationRequest, prompts: Sequence[Prompt], *, choices_per_prompt: int
) -> list[GenerationRequest]:
    """`request` for each prompt, `choices_per_prompt` times; those of one prompt stand together.

    Each is a job of its own, so each has its own id. Where a seed is given the choices of a prompt have that seed and
    the ones after it: with the same seed they would be the same.
    """
    return [
        msgspec.structs.replace(
            request,
            request_id=_id(request.request_id, number * choices_per_prompt + choice),
            prompt=prompt,
            options=msgspec.structs.replace(request.options, seed=_seed(request.options.seed, choice)),
        )
        for number, prompt in enumerate(prompts)
        for choice in range(choices_per_prompt)
    ]


def _id(request_id: RequestId, index: int) -> RequestId:
    return RequestId(f"{request_id}-{index}") if index else request_id


def _seed(seed: int, choice: int) -> int:
    return seed + choice if seed >= 0 else seed
