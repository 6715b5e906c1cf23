"""What worker and runner say to each other survives the way."""

import pytest

from services.worker.engine.inputs import NewEmbedding
from services.worker.engine.sequence import NewSequence, SequenceFailed, SequenceFinished, TokensOut, VectorsOut
from services.worker.llama.params import LlamaParams
from services.worker.runner.messages import (
    LENGTH,
    Cancel,
    Command,
    Open,
    Opened,
    OpenFailed,
    Report,
    SetThreads,
    StepDone,
    command_decoder,
    packed,
    report_decoder,
)
from shared.cluster_state import Device
from shared.errors import ErrorInfo, Kind
from shared.generation import DoneReason, Usage
from shared.options import Options

ERROR = ErrorInfo(code="runner_died", kind=Kind.INTERNAL, message="gone", detail={"prompt_tokens": 3})
COMMANDS: list[Command] = [
    Open(
        params=LlamaParams(path="/models/ü", n_ctx_seq=1, n_seq_max=3, n_batch=4, n_threads=5, kv_unified=True),
        n_ctx_seq_max=2, step_target_s=0.15, report_interval_s=0.02,
    ),
    NewSequence(sequence_id=2**40, prompt="🐎\0", context=(1, 2), shared_prefix="🐎", tenant="ann",
                options=Options(stop=("a", "b"), temperature=0.1, seed=-1)),
    NewEmbedding(sequence_id=1, inputs=("", "🐎", (), (1, 2)), truncate=False, options=Options(num_ctx=9)),
    Cancel(7),
    SetThreads(2),
]  # fmt: skip
REPORTS: list[Report] = [
    Opened(chat_template=None, bos_text="", eos_text="</s>", context_tokens=512, load_s=0.5,
           layers_count=31, device_layers_count=9,
           devices=(Device(name="A GPU", kind="gpu", memory_bytes_total=2**40, memory_bytes_free=2**39),)),
    OpenFailed(ERROR),
    StepDone(
        events=[
            VectorsOut(4, (b"\0\xff\n", b""), 1),
            TokensOut(1, "text", (5, 6)),
            TokensOut(1, "", ()),
            SequenceFinished(1, DoneReason.STOP, Usage(prompt_tokens=3, decode_ns=10**12), (1, 2)),
            SequenceFailed(2, ERROR),
        ],
        context_tokens=512,
    ),
]  # fmt: skip


def body_of(message: Command | Report) -> bytes:
    content = packed(message)
    assert LENGTH.unpack(content[: LENGTH.size])[0] == len(content) - LENGTH.size
    return content[LENGTH.size :]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_arrives_as_it_was_sent(command: Command) -> None:
    assert command_decoder.decode(body_of(command)) == command


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_a_report_arrives_as_it_was_sent(report: Report) -> None:
    assert report_decoder.decode(body_of(report)) == report
