"""One generation between gateway and worker: the request, the events that come back. No dialect's JSON."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NewType

import msgspec

from shared.digest import Digest
from shared.errors import ErrorInfo
from shared.options import Options

RequestId = NewType("RequestId", str)

KEEP_ALIVE_FOREVER_S = -1.0
"""Any negative keep-alive means the model stays until it is unloaded or evicted."""


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call of a tool, made by a model. `arguments` is the text of a JSON object, its members in the model's order."""

    name: str
    arguments: str
    call_id: str = ""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One chat message as the template sees it.

    `tool_calls` and `thinking` are an assistant's. A tool's result names the tool (`tool_name`) or the call it answers
    (`tool_call_id`). `images` are the bytes of files: pictures, or sound for models that hear.
    """

    role: str
    content: str
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str = ""
    tool_call_id: str = ""
    images: tuple[bytes, ...] = ()


Think = bool | str | None
"""Whether a model is to think before it answers: yes, no, how hard (`low`, `medium`, `high`, `max`), or as it likes."""


class ChatPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="chat"):
    """Messages for a chat template: the Go text `template` of the request, else `model_template` of the model, else the
    model file's own.

    The first `model_messages_count` messages come from the model itself (its SYSTEM and MESSAGE instructions), so
    their cached prefix may be shared between tenants.
    `context` are the tokens of an earlier reply, put in front.
    `tools` are as Ollama's API writes them: `{"type": "function", "function": {"name", "description", "parameters"}}`.
    The answer must be calls of the `forced_tools`, if any are named; `one_tool_call` allows only one call a turn.
    `model_parser` is the output format that the model's config names, if it names one.
    """

    messages: tuple[Message, ...]
    model_messages_count: int = 0
    tools: tuple[dict[str, object], ...] = ()
    forced_tools: tuple[str, ...] = ()
    one_tool_call: bool = False
    think: Think = None
    model_parser: str = ""
    template: str | None = None
    model_template: str | None = None
    context: tuple[int, ...] = ()


class InsertPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="insert"):
    """What stands before and after a gap that the model is to fill, for the Go template that shows it both."""

    before: str
    after: str
    template: str
    think: Think = None


class RawPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="raw"):
    """Text or tokens that go to the model as they are; the tokens come first."""

    text: str = ""
    token_ids: tuple[int, ...] = ()


class LoadOnly(msgspec.Struct, frozen=True, kw_only=True, tag="load"):
    """No prompt: only make the model resident."""


class EmbedPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="embed"):
    """Inputs that become one vector each: texts, or tokens that are taken as they are."""

    inputs: tuple[str | tuple[int, ...], ...]


TextPrompt = ChatPrompt | InsertPrompt | RawPrompt
"""What a model goes on from with text."""

Prompt = TextPrompt | EmbedPrompt | LoadOnly


ANY_JSON_OBJECT: Final = '{"type":"object"}'


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a request wants of its tokens beyond the options that a model may set as well.

    `json_schema` is the text of a JSON schema that the output must satisfy, with its properties in the schema's order.
    `logit_bias` is added to the logits of these token ids. `top_logprobs` is how many of the likeliest tokens are told
    beside every token's log-probability; None tells none of it.
    """

    json_schema: str | None = None
    logit_bias: dict[int, float] = {}
    top_logprobs: int | None = None


PLAIN_SAMPLING: Final = Sampling()


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True, tag="generation.v1"):
    """Everything a worker needs to know; self-contained, so any worker can run it.

    With `truncate` a conversation that is too long for its context loses its oldest messages, and an input to embed its
    end; with `shift` a full context loses its older half while it is generated into, and what `truncate` could not make
    short enough loses its middle.
    With `count_only` the prompt is written and its tokens are counted, and nothing is generated. With `render_only`
    beside it, the answer is the prompt as it was written.
    One that `is_smoke` is the cluster's own look at a model in memory: it neither loads nor keeps it.
    """

    request_id: RequestId
    attempt: int = 1
    gateway_id: str
    model: str  # full name, for loading, logs and metrics
    weights: Digest
    prompt: Prompt
    options: Options
    sampling: Sampling = PLAIN_SAMPLING
    keep_alive_s: float | None = None  # None keeps what the model has; negative = forever
    truncate: bool = False
    shift: bool = False
    tenant: str  # cached prefixes are shared only within it
    user: str  # whom the fair queue charges
    weight: float = 1.0  # the user's share of the fair queue
    want_context: bool = False
    count_only: bool = False
    render_only: bool = False
    is_smoke: bool = False
    deadline_unix_ms: int  # wall clock: it crosses machines


class DoneReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    LOAD = "load"
    UNLOAD = "unload"


class Usage(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Token counts and engine times of one generation.

    `prompt_ns` runs from the engine's receipt of the sequence to its first token; `decode_ns` from there to its last.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    prompt_ns: int = 0
    decode_ns: int = 0
    load_ns: int = 0


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started", array_like=True):
    request_id: RequestId
    attempt: int
    worker_id: str


class TokenLogprob(msgspec.Struct, frozen=True, array_like=True):
    """A token's bytes, the natural logarithm of its probability, and the likeliest tokens at its place."""

    piece: bytes
    logprob: float
    top: tuple["TokenLogprob", ...] = ()


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A part of an answer, told apart by what it is for: `text` to read, thoughts that led to it, calls of tools.

    Where a piece holds several, the thoughts come first and the calls last. `logprobs`, where they were asked for, are
    those of all tokens whose text is complete now, markup included.
    """

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.thinking or self.tool_calls or self.logprobs)


def joined(pieces: Sequence[Piece]) -> Piece:
    """All that the pieces of an answer hold, one kind after the other."""
    return Piece(
        "".join(piece.text for piece in pieces),
        "".join(piece.thinking for piece in pieces),
        tuple(call for piece in pieces for call in piece.tool_calls),
        tuple(logprob for piece in pieces for logprob in piece.logprobs),
    )


class Delta(msgspec.Struct, frozen=True, kw_only=True, tag="delta", array_like=True):
    """A new piece of an answer and new tokens; held-back text makes `piece` lag behind `token_ids`."""

    request_id: RequestId
    attempt: int
    piece: Piece
    token_ids: tuple[int, ...]


class Truncated(msgspec.Struct, frozen=True, kw_only=True, tag="truncated", array_like=True):
    """The prompt was too long: so many of its oldest messages, or tokens in its middle, are left out. Comes before the
    first delta, and again when more are.
    """

    request_id: RequestId
    attempt: int
    dropped_messages_count: int
    dropped_tokens_count: int = 0


class Embedded(msgspec.Struct, frozen=True, kw_only=True, tag="embedded", array_like=True):
    """The vectors of the next inputs of an `EmbedPrompt`, in order, as the model gives them: not normalised.

    A vector is its numbers as little-endian 32-bit floats, one after the other. `truncated_count` of these inputs
    were too long for the context and lost their end.
    """

    request_id: RequestId
    attempt: int
    vectors: tuple[bytes, ...]
    truncated_count: int = 0


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished", array_like=True):
    """The last event of a generation that went well. `stop_string` is the one that ended it, if one did.

    `dropped_*` were left out of the prompt, `shifted_tokens_count` tokens left the context while it was generated.
    After `count_only`, `context_tokens` says how many tokens prompt and answer may have together.
    """

    request_id: RequestId
    attempt: int
    reason: DoneReason
    usage: Usage
    context: tuple[int, ...] = ()
    dropped_messages_count: int = 0
    stop_string: str = ""
    dropped_tokens_count: int = 0
    shifted_tokens_count: int = 0
    context_tokens: int = 0


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed", array_like=True):
    """The last event of a generation that did not."""

    request_id: RequestId
    attempt: int
    error: ErrorInfo


Event = Started | Truncated | Delta | Embedded | Finished | Failed
