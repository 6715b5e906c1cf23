"""The health check of containers: what it says about answers of every kind, and what it costs to start."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from shared.probe import ANSWER_BYTES_MAX, problem_at
from source import ROOT

READY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nready"
DRAINING = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\r\ndraining\n"
HEAVY = ("aiohttp", "asyncio", "email", "http.client", "msgspec", "ssl", "structlog", "urllib.request", "uvloop")


@contextlib.contextmanager
def answering(*pieces: bytes, pause_s: float = 0.0, closes: bool = True) -> Iterator[str]:
    """The URL of a server that answers one request with these pieces and, unless it `closes`, then says no more."""
    is_over = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            for piece in pieces:
                connection.sendall(piece)
                is_over.wait(pause_s)
            if not closes:
                is_over.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/readyz"
        finally:
            is_over.set()
            thread.join()


def test_a_service_that_answers_200_is_well() -> None:
    with answering(READY) as url:
        assert problem_at(url) == ""


def test_an_answer_may_come_in_pieces() -> None:
    with answering(READY[:5], READY[5:], pause_s=0.01) as url:
        assert problem_at(url) == ""


def test_a_refusal_is_told_in_the_service_s_own_words() -> None:
    with answering(DRAINING) as url:
        assert problem_at(url) == "draining"


def test_a_refusal_without_words_is_told_by_its_status() -> None:
    with answering(b"HTTP/1.1 404 Not Found\r\n\r\n") as url:
        assert problem_at(url) == "status 404"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 fine\r\n\r\n"])
def test_what_is_not_http_is_not_well(answer: bytes) -> None:
    with answering(answer) as url:
        assert problem_at(url) == "the answer is not HTTP"


def test_a_service_that_hangs_is_given_up_in_time() -> None:
    with answering(closes=False) as url:
        began_s = time.monotonic()
        assert problem_at(url, wait_s=0.1) == "no answer within 0.1 s"
        assert time.monotonic() - began_s < 1


def test_a_service_that_trickles_is_given_up_in_time() -> None:
    with answering(*[b"x"] * 1000, pause_s=0.02) as url:
        assert problem_at(url, wait_s=0.1) == "no answer within 0.1 s"


def test_an_endless_answer_is_read_only_so_far() -> None:
    with answering(READY, *[b" " * ANSWER_BYTES_MAX] * 2, closes=False) as url:
        assert problem_at(url) == ""


def test_nobody_there_is_told() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        assert "refused" in problem_at(f"http://127.0.0.1:{reserved.getsockname()[1]}/readyz")


@pytest.mark.parametrize(
    "url", ["", "https://127.0.0.1:1/readyz", "http://127.0.0.1/readyz", "http://:80/", "http://a:b/"]
)
def test_an_address_of_another_form_is_told(url: str) -> None:
    assert problem_at(url).startswith("not an address of the form")


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "shared.probe", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_the_exit_code_says_whether_it_is_well_and_the_output_why_not() -> None:
    with answering(READY) as url:
        well = run(url)
    with answering(DRAINING) as url:
        unwell = run(url)
    assert (well.returncode, well.stderr) == (0, "")
    assert (unwell.returncode, unwell.stderr.strip()) == (1, "draining")
    assert run().returncode == 1


def test_it_starts_without_any_part_of_the_services() -> None:
    code = "import sys; known = set(sys.modules); import shared.probe; print(*set(sys.modules) - known)"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    loaded = said.stdout.split()
    assert "shared.probe" in loaded
    assert [name for name in loaded if name.startswith(HEAVY)] == []
