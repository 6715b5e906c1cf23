"""`corral pull` and `corral push` between two real registries, and what Ctrl-C does to a process that watches."""

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fakes.gguf_files import tiny_model
from harness.registry import running_registry

Corral = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def upstream(redis_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """A registry with one model."""
    async with running_registry(f"{redis_url}?db=1", tmp_path / "upstream") as address:
        weights = tiny_model()
        digest = "sha256:" + hashlib.sha256(weights).hexdigest()
        async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
            await http.post(f"/api/blobs/{digest}", content=weights)
            await http.post("/api/create", json={"model": "team/bot:1", "files": {"w.gguf": digest}})
        yield address


@pytest.fixture
async def address(redis_url: str, tmp_path: Path, upstream: str) -> AsyncIterator[str]:
    """An empty registry that may talk to the other one."""
    host = upstream.removeprefix("http://")
    async with running_registry(redis_url, tmp_path / "store", upstream_hosts=host) as address:
        yield address


async def models(address: str) -> list[str]:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
        return [model["name"] for model in (await http.get("/api/tags")).json()["models"]]


async def test_a_model_is_pulled_and_pushed_back_under_another_name(
    address: str, upstream: str, run_corral: Corral
) -> None:
    host = upstream.removeprefix("http://")
    code, _, err = await run_corral(address, "pull", f"{host}/team/bot:1", "--insecure")
    steps = err.splitlines()
    assert (code, steps[0], steps[-1]) == (0, "pulling manifest", "success")
    assert sum(step.startswith("pulling ") for step in steps) == 3
    assert await models(address) == [f"{host}/team/bot:1"]
    await run_corral(address, "cp", f"{host}/team/bot:1", f"{host}/other/bot:2")
    code, _, err = await run_corral(address, "push", f"{host}/other/bot:2", "--insecure")
    assert (code, err.splitlines()[-1]) == (0, "success")
    assert "other/bot:2" in await models(upstream)
    assert (await run_corral(address, "transfers"))[1].splitlines()[1:] == []


async def test_a_model_that_its_registry_does_not_have_is_told_in_plain_words(
    address: str, upstream: str, run_corral: Corral
) -> None:
    name = f"{upstream.removeprefix('http://')}/team/absent"
    code, _, err = await run_corral(address, "pull", name, "--insecure")
    assert (code, err.splitlines()[-1]) == (1, "Error: pull model manifest: file does not exist")


async def test_ctrl_c_ends_the_watching_at_once_and_says_how_to_go_on() -> None:
    left = asyncio.Event()

    async def pull(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"status": "pulling manifest"}\n')
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return response

    app = web.Application()
    app.router.add_post("/api/pull", pull)
    async with TestServer(app) as server:
        environ = {**os.environ, "CORRAL_HOST": str(server.make_url("/"))}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "corral", "pull", "llama3", stderr=asyncio.subprocess.PIPE, env=environ
        )
        assert process.stderr is not None
        assert await asyncio.wait_for(process.stderr.readline(), 30) == b"pulling manifest\n"
        process.send_signal(signal.SIGINT)
        said = (await asyncio.wait_for(process.stderr.read(), 30)).decode()
        assert await process.wait() == 130
        assert "The pull of llama3 goes on in the cluster." in said
        assert "Traceback" not in said
        await asyncio.wait_for(left.wait(), 30)
