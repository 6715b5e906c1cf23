"""The runner's main thread: turn commands into engine calls and steps into reports, until the pipe closes."""

import queue
import socket
import time
from typing import Final

from services.worker.engine.inputs import NewEmbedding
from services.worker.engine.intake import ContextLimits
from services.worker.engine.loop import Engine
from services.worker.engine.scheduler import PrefillPace
from services.worker.engine.sequence import NewSequence
from services.worker.llama.model import LlamaBackend
from services.worker.runner.messages import Cancel, Command, Open, Opened, OpenFailed, SetThreads, packed
from services.worker.runner.reports import Reports
from services.worker.runner.threads import ThreadBalance, waited_s
from shared.errors import CorralError

PREFILL_TOKENS_MIN: Final = 16

SEEING_CONTEXT_TOKENS_MIN: Final = 2048
"""What a model with a projector gives a sequence that asks for less, as Ollama does."""


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
        context_limits=ContextLimits(
            min(params.n_ctx_seq, context_tokens_max),
            context_tokens_max,
            tokens_min=1 if params.projector is None else SEEING_CONTEXT_TOKENS_MIN,
        ),
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
                layers_count=backend.layers_count,
                device_layers_count=backend.device_layers_count,
                devices=backend.devices(),
            )
        )
    )
    reports = Reports(lambda report: pipe.sendall(packed(report)), interval_s=command.report_interval_s)
    balance = ThreadBalance(params.n_threads)
    while True:
        _obey(engine, balance, inbox)
        backend.set_threads(balance.threads)
        events = engine.step()
        now_s = time.monotonic()
        reports.add(events, context_tokens=backend.context_tokens, more_to_come=engine.busy, now_s=now_s)
        balance.observe(waited_s, now_s=now_s)


def _obey(engine: Engine, balance: ThreadBalance, inbox: "queue.SimpleQueue[Command]") -> None:
    """Carry out all waiting commands; wait for one when there is nothing else to do."""
    while not engine.busy or not inbox.empty():
        if not engine.busy:
            balance.pause()
        match inbox.get():
            case NewSequence() as new:
                engine.submit(new)
            case Cancel(sequence_id):
                engine.cancel(sequence_id)
            case SetThreads(n_threads):
                balance.allow(n_threads)
            case Open() | NewEmbedding():
                raise AssertionError("a runner opens one model in its life, and this one writes text")
