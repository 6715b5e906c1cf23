"""A small service for tests of the supervisor: ready over HTTP or a Unix socket, and it writes down what happens to it.

Usage: stand_in.py NAME READY JOURNAL [MANNER]; READY is a port or a socket path, MANNER is "polite", "stubborn"
(ignores SIGTERM), "parent" (starts a child that would outlive it) or "stillborn" (ends at once).
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import FrameType

name, ready, journal, manner = (*sys.argv[1:], "polite")[:4]


def note(event: str) -> None:
    with Path(journal).open("a") as file:
        file.write(f"{event} {name} {os.getpid()}\n")


def leave(_number: int, _frame: FrameType | None) -> None:
    note("stopped")
    sys.exit(0)


if manner == "stillborn":
    sys.stdout.write("the cupboard is bare\n")
    sys.exit(3)
signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "stubborn" else leave)
if manner == "parent":
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    with Path(journal).open("a") as file:
        file.write(f"started child {child.pid}\n")
by_path = "/" in ready
with socket.socket(socket.AF_UNIX if by_path else socket.AF_INET) as server:
    if by_path:
        Path(ready).unlink(missing_ok=True)
    else:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(ready if by_path else ("127.0.0.1", int(ready)))
    server.listen()
    note("started")
    while True:
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"+PONG\r\n" if by_path else b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready")
