"""What to try when a prompt is longer than its context: the rule, told by the request. Pure."""

import msgspec

from services.worker.history import shortened
from shared.errors import ContextLengthExceeded, CorralError
from shared.generation import ChatPrompt, GenerationRequest, TextPrompt


class Attempt(msgspec.Struct, frozen=True):
    """A prompt to try; with `cuts_tokens` its middle may be left out."""

    prompt: TextPrompt
    cuts_tokens: bool = False


def next_attempt(request: GenerationRequest, failed: Attempt, error: CorralError) -> Attempt | None:
    """What to try after `error`: fewer messages, then a cut prompt; None where length was not the trouble, or losing
    something is not allowed.

    Pictures cannot be cut, so a prompt that holds any is not.
    Source: Ollama `server/prompt.go` for messages, llama.cpp's server with context shift for tokens.
    """
    if error.code != ContextLengthExceeded.code or not request.truncate:
        return None
    prompt = failed.prompt
    if isinstance(prompt, ChatPrompt):
        shorter = shortened(
            prompt,
            prompt_tokens=int(error.detail["prompt_tokens"]),
            context_tokens=int(error.detail["context_tokens"]),
        )
        if shorter is not None:
            return Attempt(shorter)
        if any(message.images for message in prompt.messages):
            return None
    return Attempt(prompt, cuts_tokens=True) if request.shift and not failed.cuts_tokens else None
