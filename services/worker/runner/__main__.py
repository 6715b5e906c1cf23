"""`python -m services.worker.runner FD`: serve one model over the inherited socket FD."""

import os
import queue
import signal
import socket
import sys
import threading

from services.worker.runner import embedding_thread, engine_thread
from services.worker.runner.messages import LENGTH, Command, Open, command_decoder


def _received(pipe: socket.socket, size: int) -> bytes | None:
    """Exactly `size` bytes, or None when the worker closed the pipe."""
    parts = bytearray()
    while len(parts) < size:
        part = pipe.recv(size - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)


def _next_command(pipe: socket.socket) -> Command | None:
    header = _received(pipe, LENGTH.size)
    if header is None:
        return None
    body = _received(pipe, LENGTH.unpack(header)[0])
    return None if body is None else command_decoder.decode(body)


def _read_commands(pipe: socket.socket, inbox: "queue.SimpleQueue[Command]") -> None:
    """Pass commands on. A closed pipe means the worker is gone or wants no more: end at once, even mid-step."""
    try:
        while (command := _next_command(pipe)) is not None:
            inbox.put(command)
    finally:
        os._exit(0)


def main() -> None:
    # The worker decides when a runner ends; a terminal's Ctrl-C is for the worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe = socket.socket(fileno=int(sys.argv[1]))
    first = _next_command(pipe)
    if first is None:
        return
    assert isinstance(first, Open)
    inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
    threading.Thread(target=_read_commands, args=(pipe, inbox), daemon=True).start()
    serve = embedding_thread.run if first.params.embeddings else engine_thread.run
    serve(first, inbox, pipe)


if __name__ == "__main__":
    main()
