"""Debian's Prometheus and its exporters as processes of their own, and promtool."""

import asyncio
import contextlib
import re
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from fakes.polling import until
from harness.cluster import free_port
from harness.debian import debian_binary
from source import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
CONFIG = FOLDER / "prometheus.yml"
FRONT_DOOR, BLACKBOX = FOLDER / "front_door.yml", FOLDER / "blackbox.yml"
RULES, ALERTS = FOLDER / "rules.yml", FOLDER / "alerts.yml"

_FOUND_BY_NAME = re.compile(r"(?P<job>- job_name: (?P<name>\S+)\n)    dns_sd_configs:\n(?:      .*\n)+")


def promtool(*arguments: str | Path) -> str:
    """What it says; fails with that where promtool finds something wrong."""
    tool = debian_binary("prometheus").with_name("promtool")
    said = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def with_addresses(config: str, addresses: Mapping[str, str]) -> str:
    """The deployment's configuration, asked every second, with fixed addresses for each job that is found by name.

    Several are separated by commas. The front door's are those of nginx (`front-door`) and of the exporter that looks
    at it (`blackbox`).
    """

    def static(found: re.Match[str]) -> str:
        targets = addresses[found["name"]].split(",") if found["name"] in addresses else []
        return f"{found['job']}    static_configs: [{{targets: {msgspec.json.encode(targets).decode()}}}]\n"

    if "front-door" in addresses:
        config = config.replace("https://nginx/", f"https://{addresses['front-door']}/")
        config = config.replace("blackbox-exporter:9115", addresses["blackbox"])
    return _FOUND_BY_NAME.sub(static, config).replace("_interval: 15s", "_interval: 1s")


class Prometheus:
    """The HTTP API of a running one."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant vector; fails when Prometheus cannot compute it."""
        async with self._http.post("/api/v1/query", data={"query": expression}) as response:
            answer = await response.json()
        assert answer["status"] == "success", (expression, answer)
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    async def query_range(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        """The series of a range vector; fails when Prometheus cannot compute it."""
        asked = {"query": expression, "start": str(start_s), "end": str(end_s), "step": str(step_s)}
        async with self._http.post("/api/v1/query_range", data=asked) as response:
            answer = await response.json()
        assert answer["status"] == "success", (expression, answer)
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    async def label_values(self, series: str, label: str) -> list[str]:
        """The values that the label of these series has had."""
        async with self._http.get(f"/api/v1/label/{label}/values", params={"match[]": series}) as response:
            answer = await response.json()
        assert answer["status"] == "success", (series, label, answer)
        values: list[str] = answer["data"]
        return values

    async def rules(self) -> list[dict[str, Any]]:
        """All recording and alerting rules as loaded, with their health."""
        async with self._http.get("/api/v1/rules") as response:
            answer = await response.json()
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]


@contextlib.asynccontextmanager
async def running_prometheus(
    folder: Path, addresses: Mapping[str, str], *, baseline_samples: int = 240
) -> AsyncIterator[Prometheus]:
    """Run it for the length of the block on the deployment's files, asking `addresses` (by job) alone.

    `baseline_samples` is how much work a worker's own median is made of; in the deployment it is an hour of it.
    """
    program = debian_binary("prometheus")
    for path in (RULES, ALERTS, FRONT_DOOR):
        (folder / path.name).write_text(path.read_text().replace("[1d]) >= 240", f"[1d]) >= {baseline_samples}"))
    if "front-door" not in addresses:
        (folder / FRONT_DOOR.name).write_text("[]")
    (folder / CONFIG.name).write_text(with_addresses(CONFIG.read_text(), addresses))
    port = free_port()
    options = [
        f"--config.file={folder / CONFIG.name}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    async with _process(program, *options), aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        await until(lambda: _answers(http, "/-/ready"), within_s=30)
        yield Prometheus(http)


def running_blackbox_exporter() -> AbstractAsyncContextManager[str]:
    """Run it for the length of the block as the deployment has it; gives `host:port`."""
    return _running_exporter("prometheus-blackbox-exporter", f"--config.file={BLACKBOX}")


def running_redis_exporter(redis_url: str) -> AbstractAsyncContextManager[str]:
    """Run it for the length of the block; gives `host:port`."""
    return _running_exporter("prometheus-redis-exporter", f"--redis.addr={redis_url}")


def running_nginx_exporter(status_url: str) -> AbstractAsyncContextManager[str]:
    """Run it for the length of the block on an nginx that serves; gives `host:port`."""
    return _running_exporter("prometheus-nginx-exporter", f"--nginx.scrape-uri={status_url}")


@contextlib.asynccontextmanager
async def _running_exporter(package: str, option: str) -> AsyncIterator[str]:
    program = debian_binary(package)
    address = f"127.0.0.1:{free_port()}"
    async with (
        _process(program, option, f"--web.listen-address={address}"),
        aiohttp.ClientSession(f"http://{address}") as http,
    ):
        await until(lambda: _answers(http, "/metrics"), within_s=30)
        yield address


@contextlib.asynccontextmanager
async def _process(program: Path, *options: str) -> AsyncIterator[None]:
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, *options, stdout=silent, stderr=silent)
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(http: aiohttp.ClientSession, path: str) -> bool:
    try:
        async with http.get(path) as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False
