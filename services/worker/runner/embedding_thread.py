"""The main thread of a runner whose model embeds: commands to the embedder, its steps to reports."""

import queue
import socket
import time

from services.worker.engine.embedder import Embedder
from services.worker.engine.inputs import NewEmbedding
from services.worker.engine.intake import ContextLimits
from services.worker.engine.sequence import NewSequence
from services.worker.llama.embedding import LlamaEmbeddingBackend
from services.worker.runner.messages import (
    Cancel,
    Command,
    Open,
    Opened,
    OpenFailed,
    SetThreads,
    StepDone,
    packed,
)
from services.worker.runner.threads import ThreadBalance, waited_s
from shared.errors import CorralError


def run(command: Open, inbox: "queue.SimpleQueue[Command]", pipe: socket.socket) -> None:
    """Open the model, then serve commands for ever; the reading thread ends the process when the worker is gone."""
    started_s = time.monotonic()
    params = command.params
    try:
        backend = LlamaEmbeddingBackend(params)
    except CorralError as error:
        pipe.sendall(packed(OpenFailed(error.info())))
        return
    context_tokens_max = min(command.n_ctx_seq_max, backend.n_ctx_train)
    embedder = Embedder(
        backend, context_limits=ContextLimits(min(params.n_ctx_seq, context_tokens_max), context_tokens_max)
    )
    load_s = time.monotonic() - started_s
    opened = Opened(
        chat_template=None, bos_text="", eos_text="", context_tokens=backend.context_tokens, load_s=load_s,
        layers_count=backend.layers_count, device_layers_count=backend.device_layers_count, devices=backend.devices(),
    )  # fmt: skip
    pipe.sendall(packed(opened))
    balance = ThreadBalance(params.n_threads)
    while True:
        _obey(embedder, balance, inbox)
        backend.set_threads(balance.threads)
        if events := embedder.step():
            pipe.sendall(packed(StepDone(events=events, context_tokens=backend.context_tokens)))
        balance.observe(waited_s, now_s=time.monotonic())


def _obey(embedder: Embedder, balance: ThreadBalance, inbox: "queue.SimpleQueue[Command]") -> None:
    """Carry out all waiting commands; wait for one when there is nothing else to do."""
    while not embedder.busy or not inbox.empty():
        if not embedder.busy:
            balance.pause()
        match inbox.get():
            case NewEmbedding() as new:
                embedder.submit(new)
            case Cancel(sequence_id):
                embedder.cancel(sequence_id)
            case SetThreads(n_threads):
                balance.allow(n_threads)
            case NewSequence() | Open():
                raise AssertionError("a runner that embeds opens one model and writes no text")
