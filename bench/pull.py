"""`python -m bench.pull`: how fast a large blob is pulled, beside curl into a file and sha256sum, in the same run.

An nginx on loopback serves the blob as a registry would. Every round each of the three gets a turn, in an order that
rotates; each pull has a registry process of its own with an empty store, so its peak memory is that of one pull.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from bench.servers import ServerFailed, free_port, running
from corral.errors import CliError
from corral.up.bundled import valkey_binary
from shared.manifest import CONFIG_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, MediaType
from tools.debian_tools import ensure, find

MIB: Final = 1 << 20
WANTED_RATIO: Final = 0.8
CONFIG: Final = b'{"model_format":"gguf","model_family":"llama"}'

NGINX: Final = """
daemon off; master_process off; pid {run}/nginx.pid; error_log stderr error;
events {{ worker_connections 64; }}
http {{
    access_log off; sendfile on;
    client_body_temp_path {run}; proxy_temp_path {run}; fastcgi_temp_path {run}; uwsgi_temp_path {run};
    scgi_temp_path {run};
    server {{ listen 127.0.0.1:{port}; root {run}/served; }}
}}
"""


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    wall_s: float
    peak_bytes: int


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What each took in one round, in seconds."""

    curl_s: float
    sha256sum_s: float
    corral: Pulled

    @property
    def ratio(self) -> float:
        """Corral's rate against that of the slower of the other two."""
        return max(self.curl_s, self.sha256sum_s) / self.corral.wall_s


def table(rounds: Sequence[Round], size_bytes: int) -> str:
    """The rounds as Markdown, and what they say together."""

    def rate(wall_s: float) -> str:
        return f"{wall_s:.2f} s, {size_bytes / MIB / wall_s:.0f} MiB/s"

    rows = [
        f"| {number} | {rate(one.curl_s)} | {rate(one.sha256sum_s)} | {rate(one.corral.wall_s)} "
        f"| {one.ratio:.2f} | {one.corral.peak_bytes / 1e6:.0f} MB |"
        for number, one in enumerate(rounds, start=1)
    ]
    ratios = [one.ratio for one in rounds]
    summary = (
        f"Pull against the slower of the two: median {statistics.median(ratios):.2f}, least {min(ratios):.2f}, "
        f"most {max(ratios):.2f} (wanted: {WANTED_RATIO}). Peak memory of the registry: "
        f"{max(one.corral.peak_bytes for one in rounds) / 1e6:.0f} MB."
    )
    return "\n".join(
        [
            "| round | curl into a file | sha256sum | Corral pulls | ratio | peak memory |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            summary,
        ]
    )


def lay_out(run: Path, size_bytes: int) -> Path:
    """A model as nginx serves it, at the paths of the registry protocol; returns the file of its weights."""
    repository = run / "served" / "v2" / "library" / "large"
    for name in ("blobs", "manifests"):
        (repository / name).mkdir(parents=True)
    weights = run / "weights"
    with weights.open("wb") as file:
        for _ in range(size_bytes // MIB):
            file.write(os.urandom(MIB))
    with weights.open("rb") as file:
        digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    weights = weights.rename(repository / "blobs" / digest)
    config = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"
    (repository / "blobs" / config).write_bytes(CONFIG)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPE,
        "config": {"mediaType": CONFIG_MEDIA_TYPE, "digest": config, "size": len(CONFIG)},
        "layers": [{"mediaType": MediaType.MODEL, "digest": digest, "size": size_bytes}],
    }
    (repository / "manifests" / "latest").write_text(json.dumps(manifest))
    return weights


@contextlib.asynccontextmanager
async def running_nginx(session: aiohttp.ClientSession, run: Path) -> AsyncIterator[str]:
    """Gives `host:port`."""
    binary = find("nginx", os.environ)
    if binary is None:
        raise ServerFailed("; ".join(ensure(["nginx"], os.environ)) or "nginx was fetched; run this again")
    host = f"127.0.0.1:{(port := free_port())}"
    (run / "nginx.conf").write_text(NGINX.format(run=run, port=port))
    command = [str(binary), "-e", "stderr", "-c", str(run / "nginx.conf"), "-p", str(run)]
    async with running(command, os.environ, run / "nginx.log", answers(session, f"http://{host}/")):
        yield host


def answers(session: aiohttp.ClientSession, url: str) -> Callable[[], Awaitable[bool]]:
    async def is_ready() -> bool:
        async with session.get(url) as response:
            return response.status in (200, 403)

    return is_ready


async def pull(session: aiohttp.ClientSession, upstream: str, redis_url: str, run: Path) -> Pulled:
    """One pull by a fresh registry."""
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CORRAL_")} | {
        "CORRAL_REGISTRY_PORT": str(port),
        "CORRAL_REGISTRY_REDIS_URL": redis_url,
        "CORRAL_REGISTRY_MODELS_DIR": str(run / "store"),
        "CORRAL_REGISTRY_UPSTREAM_HOSTS": upstream,
    }
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "services.registry"]
    async with running(command, environ, run / "registry.log", answers(session, f"{url}/readyz")) as pid:
        body = {"model": f"{upstream}/library/large", "insecure": True, "stream": False}
        started_s = time.perf_counter()
        async with session.post(f"{url}/api/pull", json=body) as response:
            reply = await response.text()
        wall_s = time.perf_counter() - started_s
        if response.status != 200:
            raise ServerFailed(f"the pull failed: {reply}")
        pulled = Pulled(wall_s=wall_s, peak_bytes=peak_bytes(pid))
    shutil.rmtree(run / "store")
    return pulled


def peak_bytes(pid: int) -> int:
    """The most memory the process ever held (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


async def timed(*command: str) -> float:
    started_s = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    if await process.wait():
        raise ServerFailed(f"{command[0]} failed")
    return time.perf_counter() - started_s


async def measure(run: Path, *, rounds_count: int, size_bytes: int) -> list[Round]:
    weights = lay_out(run, size_bytes)
    rounds: list[Round] = []
    redis_url = f"unix://{run}/redis.sock"
    valkey = [str(valkey_binary()), "--port", "0", "--unixsocket", f"{run}/redis.sock", "--save", "", "--dir", str(run)]

    async def listens() -> bool:
        return (run / "redis.sock").exists()

    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        running(valkey, os.environ, run / "valkey.log", listens),
        running_nginx(session, run) as upstream,
    ):
        source = f"http://{upstream}/{weights.relative_to(run / 'served')}"
        for number in range(rounds_count):
            rounds.append(await one_round(session, source, weights, upstream, redis_url, run, number))
            print(f"round {number + 1} of {rounds_count}: ratio {rounds[-1].ratio:.2f}", flush=True)
    return rounds


async def one_round(
    session: aiohttp.ClientSession, source: str, weights: Path, upstream: str, redis_url: str, run: Path, number: int
) -> Round:
    """Everybody's turn; what one wrote is on the disk and gone before the next begins."""
    taken: dict[str, float] = {}
    pulled: list[Pulled] = []

    async def curl() -> None:
        taken["curl"] = await timed("curl", "--silent", "--fail", "--output", str(run / "copy"), source)
        (run / "copy").unlink()

    async def sha256sum() -> None:
        taken["sha256sum"] = await timed("sha256sum", str(weights))

    async def corral() -> None:
        pulled.append(await pull(session, upstream, redis_url, run))

    turns = [curl, sha256sum, corral]
    for turn in turns[number % 3 :] + turns[: number % 3]:
        await asyncio.to_thread(os.sync)
        await turn()
    return Round(curl_s=taken["curl"], sha256sum_s=taken["sha256sum"], corral=pulled[0])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pull", description=__doc__)
    parser.add_argument("--size-mib", type=int, default=1024, help="size of the blob")
    parser.add_argument("--rounds", type=int, default=6, help="turns each gets")
    options = parser.parse_args()
    size_bytes = options.size_mib * MIB
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="corral-bench-") as folder:
        try:
            rounds = asyncio.run(measure(Path(folder), rounds_count=options.rounds, size_bytes=size_bytes))
        except* (ServerFailed, CliError, aiohttp.ClientError) as group:
            print(f"Error: {group.exceptions[0]}", file=sys.stderr)
    if rounds:
        print(table(rounds, size_bytes))
    return 0 if rounds else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
