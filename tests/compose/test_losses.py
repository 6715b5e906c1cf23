"""Containers that die under light load: what fails, and how soon everything is healthy again."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import ollama
import pytest

from fakes.polling import until
from harness.compose import Stack, wait_until_healthy

USERS_COUNT = 3
QUIET_S = 3.0
"""How long people go on after everything is healthy again."""


@dataclass
class Load:
    """People who ask one question after the other."""

    stack: Stack
    model: str
    key: str
    answered: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    last_failure_s: float = 0.0
    stopping: bool = False

    async def person(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        client = ollama.AsyncClient(host=self.stack.url, headers=headers, verify=self.stack.trust(), timeout=60)
        question = [{"role": "user", "content": "Tell me about the sea."}]
        while not self.stopping:
            try:
                stream = await client.chat(self.model, question, stream=True, options={"num_predict": 40})
                parts = [part async for part in stream]
                assert parts[-1].done, "the answer broke off"
                self.answered.append(time.monotonic())
            except Exception as cause:  # whatever a person can meet is counted
                self.failed.append(f"{type(cause).__name__}: {cause}"[:120])
                self.last_failure_s = time.monotonic()
                await asyncio.sleep(0.5)
        await client.close()  # type: ignore[no-untyped-call]

    async def some_answers(self, count: int) -> None:
        wanted = len(self.answered) + count
        await until(lambda: len(self.answered) >= wanted, within_s=90)


@contextlib.asynccontextmanager
async def people(stack: Stack, model: str, key: str) -> AsyncIterator[Load]:
    load = Load(stack, model, key)
    async with asyncio.TaskGroup() as group:
        for _ in range(USERS_COUNT):
            group.create_task(load.person())
        try:
            yield load
        finally:
            load.stopping = True


@pytest.fixture(scope="module")
def replicated(stack: Stack, model: str) -> Stack:
    stack.compose("up", "-d", "--wait", "--scale", "gateway=2", "--scale", "worker=2")
    return stack


@pytest.mark.parametrize(
    ("service", "failures_max"),
    [
        ("registry", 0),  # nobody needs it for an answer
        ("worker", USERS_COUNT),  # whoever had begun to read
        ("gateway", USERS_COUNT),  # whose connection it held
        ("nginx", None),
        ("redis", None),
    ],
)
async def test_a_container_that_dies_comes_back_and_so_do_answers(
    replicated: Stack, model: str, key: str, measured: list[str], service: str, failures_max: int | None
) -> None:
    async with people(replicated, model, key) as load:
        await load.some_answers(USERS_COUNT)
        victim = replicated.containers(service)[0]
        began_s = time.monotonic()
        await asyncio.to_thread(replicated.end_process, victim)
        healthy_s = await asyncio.to_thread(wait_until_healthy, replicated, service)
        await load.some_answers(USERS_COUNT)
        await asyncio.sleep(QUIET_S)
    back_s = max(0.0, load.last_failure_s - began_s)
    measured.append(
        f"{service}: {len(load.failed)} of {len(load.failed) + len(load.answered)} requests failed,"
        f" the last after {back_s:.1f} s; healthy after {healthy_s:.1f} s; {sorted(set(load.failed))}"
    )
    if failures_max is not None:
        assert len(load.failed) <= failures_max


async def test_a_rolling_restart_of_workers_loses_no_request(replicated: Stack, model: str, key: str) -> None:
    async with people(replicated, model, key) as load:
        await load.some_answers(USERS_COUNT)
        for worker in replicated.containers("worker"):
            await asyncio.to_thread(replicated.restart, worker)
            await asyncio.to_thread(wait_until_healthy, replicated, "worker")
            await load.some_answers(USERS_COUNT)
    assert load.failed == []
