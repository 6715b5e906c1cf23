"""What the worker and its runner say to each other over a socket pair: length-prefixed msgpack."""

import struct
from typing import Final

import msgspec

from services.worker.engine.inputs import NewEmbedding
from services.worker.engine.sequence import NewSequence, SequenceEvent
from services.worker.llama.params import LlamaParams
from shared.cluster_state import Device
from shared.errors import ErrorInfo

LENGTH: Final = struct.Struct("<I")
MESSAGE_BYTES_MAX: Final = 1 << 30


class Open(msgspec.Struct, frozen=True, kw_only=True, tag="open"):
    """The first command: which model to open and how.

    `n_ctx_seq_max` limits how far the context may grow on request; `step_target_s` is the time a step with decoding
    sequences should take when prompts are computed beside them;
    `report_interval_s` is how long tokens may be gathered before they are reported.
    """

    params: LlamaParams
    n_ctx_seq_max: int
    step_target_s: float
    report_interval_s: float


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    sequence_id: int


class SetThreads(msgspec.Struct, frozen=True, tag="threads"):
    n_threads: int


Command = Open | NewSequence | NewEmbedding | Cancel | SetThreads


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag="opened"):
    """The model is ready. Template and token texts are what the worker needs to write prompts.

    `devices` are the GPUs as they are now, none when the model uses none.
    """

    chat_template: str | None
    bos_text: str
    eos_text: str
    context_tokens: int
    load_s: float
    layers_count: int = 0
    device_layers_count: int = 0
    devices: tuple[Device, ...] = ()


class OpenFailed(msgspec.Struct, frozen=True, tag="open_failed"):
    error: ErrorInfo


class StepDone(msgspec.Struct, frozen=True, kw_only=True, tag="step"):
    """What one engine step brought; `context_tokens` is the room of a slot, which may have grown."""

    events: list[SequenceEvent]
    context_tokens: int


Report = Opened | OpenFailed | StepDone

_encode = msgspec.msgpack.Encoder().encode
command_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
report_decoder: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def packed(message: Command | Report) -> bytes:
    """The message with its length in front."""
    body = _encode(message)
    assert len(body) <= MESSAGE_BYTES_MAX
    return LENGTH.pack(len(body)) + body
