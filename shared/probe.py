"""Asks an ops route whether its service is well: `python -m shared.probe http://127.0.0.1:11434/readyz`.

For health checks of containers, whose images have no curl. It starts every few seconds beside models at work, so it
speaks HTTP over a bare socket and imports next to nothing.
"""

import socket
import sys
import time
from typing import Final

ANSWER_WAIT_S: Final = 2.0
ANSWER_BYTES_MAX: Final = 64 << 10
_SCHEME: Final = "http://"


def problem_at(url: str, *, wait_s: float = ANSWER_WAIT_S) -> str:
    """Empty when the URL answers 200 within `wait_s`; else why not, in the service's own words where it has some."""
    try:
        host, port, path = _parsed(url)
        status, body = _asked(host, port, path, until_s=time.monotonic() + wait_s)
    except TimeoutError:
        return f"no answer within {wait_s:g} s"
    except (OSError, ValueError) as cause:
        return str(cause)
    return "" if status == 200 else body.strip() or f"status {status}"


def _parsed(url: str) -> tuple[str, int, str]:
    """Raises: ValueError."""
    place, _, path = url.removeprefix(_SCHEME).partition("/")
    host, _, port = place.rpartition(":")
    if not url.startswith(_SCHEME) or not host or not port.isdecimal():
        raise ValueError(f"not an address of the form http://host:port/path: {url}")
    return host.strip("[]"), int(port), f"/{path}"


def _asked(host: str, port: int, path: str, *, until_s: float) -> tuple[int, str]:
    """The status and the body of the answer.

    Raises: OSError, TimeoutError; ValueError for an answer that is not HTTP.
    """
    with socket.create_connection((host, port), timeout=_left(until_s)) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = bytearray()
        while len(answer) < ANSWER_BYTES_MAX:
            connection.settimeout(_left(until_s))
            received = connection.recv(4096)
            if not received:
                break
            answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    version, _, rest = bytes(head).partition(b" ")
    if not version.startswith(b"HTTP/") or not rest[:3].isdigit():
        raise ValueError("the answer is not HTTP")
    return int(rest[:3]), body.decode(errors="replace")


def _left(until_s: float) -> float:
    """Raises: TimeoutError."""
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


if __name__ == "__main__":
    # sys.exit writes a text to stderr and makes it the exit code 1; None is 0.
    sys.exit((problem_at(sys.argv[1]) or None) if len(sys.argv) == 2 else "usage: python -m shared.probe URL")
