"""One generation between gateway and worker: the request, the events that come back. No dialect's JSON."""

from enum import StrEnum
from typing import NewType

import msgspec

from shared.digest import Digest
from shared.errors import ErrorInfo
from shared.options import Options

RequestId = NewType("RequestId", str)

KEEP_ALIVE_FOREVER_S = -1.0
"""Any negative keep-alive means the model stays until it is unloaded or evicted."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One chat message as the template sees it."""

    role: str
    content: str


class ChatPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="chat"):
    """Messages for a chat template: the Go text `template` of the request, else `model_template` of the model, else the
    model file's own.

    The first `model_messages_count` messages come from the model itself (its SYSTEM and MESSAGE instructions), so
    their cached prefix may be shared between tenants.
    `context` are the tokens of an earlier reply, put in front.
    """

    messages: tuple[Message, ...]
    model_messages_count: int = 0
    template: str | None = None
    model_template: str | None = None
    context: tuple[int, ...] = ()


class RawPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="raw"):
    """Text that goes to the model as it is."""

    text: str


class LoadOnly(msgspec.Struct, frozen=True, kw_only=True, tag="load"):
    """No prompt: only make the model resident."""


Prompt = ChatPrompt | RawPrompt | LoadOnly


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True, tag="generation.v1"):
    """Everything a worker needs to know; self-contained, so any worker can run it."""

    request_id: RequestId
    attempt: int = 1
    gateway_id: str
    model: str  # full name, for loading, logs and metrics
    weights: Digest
    prompt: Prompt
    options: Options
    keep_alive_s: float | None = None  # None keeps what the model has; negative = forever
    truncate: bool = True
    tenant: str  # cached prefixes are shared only within it
    user: str  # whom the fair queue charges
    weight: float = 1.0  # the user's share of the fair queue
    want_context: bool = False
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


class Delta(msgspec.Struct, frozen=True, kw_only=True, tag="delta", array_like=True):
    """New text and the tokens it came from; held-back text makes `text` lag behind `token_ids`."""

    request_id: RequestId
    attempt: int
    text: str
    token_ids: tuple[int, ...]


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished", array_like=True):
    """The last event of a generation that went well."""

    request_id: RequestId
    attempt: int
    reason: DoneReason
    usage: Usage
    context: tuple[int, ...] = ()
    dropped_messages_count: int = 0


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed", array_like=True):
    """The last event of a generation that did not."""

    request_id: RequestId
    attempt: int
    error: ErrorInfo


Event = Started | Delta | Finished | Failed
