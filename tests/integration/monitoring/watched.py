"""A whole cluster behind nginx, with everything that Prometheus reads in a deployment, and Prometheus."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import psutil

from fakes.polling import until
from harness.cluster import Cluster, free_port, start_cluster
from harness.model_source import ModelSource
from harness.registry import running_registry
from harness.valkey import running_valkey
from integration.monitoring.prometheus import (
    Prometheus,
    running_blackbox_exporter,
    running_nginx_exporter,
    running_prometheus,
    running_redis_exporter,
)
from integration.nginx.front_door import FrontDoor

ADMIN_KEY: Final = "corral_" + "a" * 43
FOLLOWED, MISSING = "team/followed:latest", "team/gone:latest"
"""Models whose new versions the registry looks for: one that the source has, one that it has not."""

PROCESSES_COUNT: Final = 7
"""A gateway, two workers, a registry, and the exporters of Redis, nginx and its address."""

SCRAPE_INTERVAL_S: Final = 1.0
RATE_INTERVAL: Final = "4s"
"""Grafana's `$__rate_interval` at that interval, on a chart of as many points."""


class Watched(NamedTuple):
    """`source` is a registry to pull from, `elsewhere` one to push to."""

    cluster: Cluster
    http: aiohttp.ClientSession
    prometheus: Prometheus
    source: ModelSource
    source_address: str
    elsewhere: str
    nobody: str


@contextlib.asynccontextmanager
async def watched_cluster(folder: Path, *, baseline_samples: int, **variables: str) -> AsyncIterator[Watched]:
    """Two workers with room for one model each; `variables` change more. All of it ends with the block."""
    source = ModelSource()
    async with contextlib.AsyncExitStack() as stack:
        source_address = await stack.enter_async_context(source.running())
        other_redis = stack.enter_context(running_valkey())
        elsewhere = await stack.enter_async_context(running_registry(other_redis, _made(folder / "elsewhere")))
        hosts = {source_address, elsewhere.removeprefix("http://"), nobody := f"127.0.0.1:{free_port()}"}
        cluster = await asyncio.to_thread(
            start_cluster,
            _made(folder / "home"),
            CORRAL_WORKERS="2",
            CORRAL_MAX_LOADED_MODELS="1",
            CORRAL_NUM_PARALLEL="2",
            CORRAL_CONTEXT_TOKENS="1024",
            CORRAL_WORKER_MEMORY_BYTES_MAX=str(1 << 30),
            CORRAL_GATEWAY_ADMIN_KEY=ADMIN_KEY,
            CORRAL_GATEWAY_WATCH_INTERVAL_S="0.5",
            CORRAL_REGISTRY_COLLECT_INTERVAL_S="5",
            CORRAL_REGISTRY_UPSTREAM_HOSTS=",".join(hosts),
            CORRAL_REGISTRY_UPDATE_MODELS=",".join(f"http://{source_address}/{name}" for name in (FOLLOWED, MISSING)),
            **variables,
        )
        stack.callback(cluster.stop)
        door = FrontDoor(_made(folder / "nginx"))
        await stack.enter_async_context(door.running(EDGE_GATEWAY=cluster.url.removeprefix("http://")))
        addresses = {
            "gateway": cluster.url.removeprefix("http://"),
            "worker": ",".join(listening(cluster, "services.worker")),
            "registry": ",".join(listening(cluster, "services.registry")),
            "front-door": f"127.0.0.1:{door.https_port}",
            "blackbox": await stack.enter_async_context(running_blackbox_exporter()),
            "redis": await stack.enter_async_context(running_redis_exporter(cluster.redis_url)),
            "nginx": await stack.enter_async_context(
                running_nginx_exporter(f"http://127.0.0.1:{door.ops_port}/status")
            ),
        }
        prometheus = await stack.enter_async_context(
            running_prometheus(_made(folder / "prometheus"), addresses, baseline_samples=baseline_samples)
        )
        await until(lambda: _all_answer(prometheus), within_s=30)
        http = await stack.enter_async_context(door.client())
        yield Watched(cluster, http, prometheus, source, source_address, elsewhere.removeprefix("http://"), nobody)


async def _all_answer(prometheus: Prometheus) -> bool:
    """Whether Prometheus has read everything once, so that all that happens from now on is an increase."""
    return bool(await prometheus.query(f"sum(up) == {PROCESSES_COUNT}"))


def listening(cluster: Cluster, module: str) -> list[str]:
    """Where the processes that run the module answer."""
    return [
        f"127.0.0.1:{connection.laddr.port}"
        for process in cluster.processes(module)
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    ]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
