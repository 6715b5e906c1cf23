"""The gateway as a process: `python -m services.gateway`."""

import asyncio
import asyncio.subprocess
import os
import signal
import socket
import sys

import aiohttp

from fakes.polling import until


async def process(**environ: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.gateway"),
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_it_serves_until_it_is_told_to_stop(redis_url: str, http: aiohttp.ClientSession) -> None:
    port = free_port()
    gateway = await process(CORRAL_REDIS_URL=redis_url, CORRAL_GATEWAY_PORT=str(port))

    async def answers() -> bool:
        try:
            async with http.head(f"http://127.0.0.1:{port}/") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False

    await until(answers, within_s=30)
    gateway.send_signal(signal.SIGTERM)
    _, complaints = await asyncio.wait_for(gateway.communicate(), timeout=30)
    assert (gateway.returncode, complaints) == (0, b"")


async def test_it_says_why_it_does_not_start(redis_url: str) -> None:
    for environ, reason in (
        ({"CORRAL_GATEWAY_HOST": "0.0.0.0"}, b"CORRAL_GATEWAY_REQUIRE_KEYS"),
        ({"OLLAMA_HOST": "0.0.0.0"}, b"CORRAL_GATEWAY_REQUIRE_KEYS"),
        ({"CORRAL_GATEWAY_PORT": "0"}, b"port"),
        ({"CORRAL_GATEWAY_COLOUR": "red"}, b"CORRAL_GATEWAY_COLOUR"),
        ({"CORRAL_REDIS_URL": "redis://127.0.0.1:9/0"}, b"cannot reach its queue"),
    ):
        gateway = await process(**{"CORRAL_REDIS_URL": redis_url, **environ})
        _, complaints = await asyncio.wait_for(gateway.communicate(), timeout=30)
        assert gateway.returncode == 1
        assert reason in complaints
        assert b"Traceback" not in complaints
