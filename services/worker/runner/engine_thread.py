"""The runner's main thread: turn commands into engine calls and steps into reports, until the pipe closes."""

import queue
import socket
import time
from typing import Final

from services.worker.engine.intake import ContextLimits
from services.worker.engine.loop import Engine
from services.worker.engine.scheduler import PrefillPace
from services.worker.engine.sequence import NewSequence, SequenceEvent, TokensOut
from services.worker.llama.model import LlamaBackend
from services.worker.runner.messages import Cancel, Command, Open, Opened, OpenFailed, SetThreads, StepDone, packed
from shared.errors import CorralError

PREFILL_TOKENS_MIN: Final = 16
REPORT_INTERVAL_S: Final = 0.010


def run(command: Open, inbox: "queue.SimpleQueue[Command]", pipe: socket.socket) -> None:
    """Open the model, then serve commands for ever; the reading thread ends the process when the worker is gone."""
    started_s = time.monotonic()
    params = command.params
    try:
        backend = LlamaBackend(command.params)
    except CorralError as error:
        pipe.sendall(packed(OpenFailed(error.info())))
        return
    context_tokens_max = min(command.n_ctx_seq_max, backend.n_ctx_train)
    engine = Engine(
        backend,
        batch_tokens_max=params.n_batch,
        context_limits=ContextLimits(min(params.n_ctx_seq, context_tokens_max), context_tokens_max),
        pace=PrefillPace(target_s=command.step_target_s, tokens_min=PREFILL_TOKENS_MIN, tokens_max=params.n_batch),
        prompts_apart=not (params.flash_attn or params.kv_unified),
    )
    pipe.sendall(
        packed(
            Opened(
                chat_template=backend.chat_template,
                bos_text=backend.vocabulary.bos_text,
                eos_text=backend.vocabulary.eos_text,
                context_tokens=backend.context_tokens,
                load_s=time.monotonic() - started_s,
            )
        )
    )
    reports = Reports(pipe)
    while True:
        _obey(engine, backend, inbox)
        reports.add(engine.step(), context_tokens=backend.context_tokens, more_to_come=engine.busy)


class Reports:
    """Sends what steps bring, a fast model's tokens in pairs or threes: every message wakes four processes, which take
    the processor from the model itself. What begins or ends a sequence never waits."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._held: list[SequenceEvent] = []
        self._known: set[int] = set()
        self._sent_s = 0.0

    def add(self, events: list[SequenceEvent], *, context_tokens: int, more_to_come: bool) -> None:
        self._held += events
        if not self._held:
            return
        now_s = time.monotonic()
        if more_to_come and not self._urgent(events) and now_s - self._sent_s < REPORT_INTERVAL_S:
            return
        self._pipe.sendall(packed(StepDone(events=self._held, context_tokens=context_tokens)))
        self._held = []
        self._sent_s = now_s

    def _urgent(self, events: list[SequenceEvent]) -> bool:
        """Whether one of the events is the first or the last of its sequence."""
        urgent = False
        for event in events:
            if isinstance(event, TokensOut):
                urgent |= event.sequence_id not in self._known
                self._known.add(event.sequence_id)
            else:
                urgent = True
                self._known.discard(event.sequence_id)
        return urgent


def _obey(engine: Engine, backend: LlamaBackend, inbox: "queue.SimpleQueue[Command]") -> None:
    """Carry out all waiting commands; wait for one when there is nothing else to do."""
    while not engine.busy or not inbox.empty():
        match inbox.get():
            case NewSequence() as new:
                engine.submit(new)
            case Cancel(sequence_id):
                engine.cancel(sequence_id)
            case SetThreads(n_threads):
                backend.set_threads(n_threads)
            case Open():
                raise AssertionError("a runner opens one model in its life")
