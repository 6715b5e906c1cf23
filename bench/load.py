"""One user's request and a whole block of them, timed at the client."""

import asyncio
import itertools
import json
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from bench.records import Added, Answer


class AnswerFailed(Exception):
    """A server refused or broke off an answer: a measurement without it would be worth nothing."""


async def answers(
    session: aiohttp.ClientSession, url: str, model: str, questions: Sequence[Sequence[str]], *, tokens_max: int
) -> tuple[list[Answer], float]:
    """All users at once, each asking its own questions one after the other; and how long that took in seconds.

    Raises: ExceptionGroup of AnswerFailed or aiohttp's errors.
    """

    async def user(own: Sequence[str]) -> list[Answer]:
        return [await answer(session, url, model, text, tokens_max=tokens_max) for text in own]

    started_s = time.perf_counter()
    async with asyncio.TaskGroup() as users:
        tasks = [users.create_task(user(own)) for own in questions]
    wall_s = time.perf_counter() - started_s
    return [item for task in tasks for item in task.result()], wall_s


async def answer(session: aiohttp.ClientSession, url: str, model: str, question: str, *, tokens_max: int) -> Answer:
    """One greedy answer over `/v1/chat/completions`, streamed."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": tokens_max,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    arrivals_s: list[float] = []
    tokens: int | None = None
    started_s = time.perf_counter()
    async with session.post(f"{url}/v1/chat/completions", json=body) as response:
        await _require_ok(response)
        async for line in response.content:
            now_s = time.perf_counter()
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line[6:])
            if "error" in chunk:
                raise AnswerFailed(str(chunk["error"]))
            if _text_of(chunk):
                arrivals_s.append(now_s)
            if chunk.get("usage"):
                tokens = chunk["usage"]["completion_tokens"]
    if tokens is None or not arrivals_s:
        raise AnswerFailed("the stream ended without text or usage")
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(arrivals_s)]
    return Answer(ttft_s=arrivals_s[0] - started_s, gaps_s=gaps_s, tokens=tokens)


def _text_of(chunk: dict[str, Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


async def added_latency(session: aiohttp.ClientSession, url: str, model: str, question: str) -> Added:
    """One short request over `/api/chat`, whose last line says how long the engine took to its first token."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "options": {"num_predict": 8, "temperature": 0},
    }
    first_s: float | None = None
    engine_ns: int | None = None
    started_s = time.perf_counter()
    async with session.post(f"{url}/api/chat", json=body) as response:
        await _require_ok(response)
        async for line in response.content:
            now_s = time.perf_counter()
            event = json.loads(line)
            if "error" in event:
                raise AnswerFailed(str(event["error"]))
            if first_s is None and event["message"]["content"]:
                first_s = now_s
            engine_ns = event.get("prompt_eval_duration", engine_ns)
    if first_s is None or engine_ns is None:
        raise AnswerFailed("the stream ended without text or times")
    return Added(client_s=first_s - started_s, engine_s=engine_ns / 1e9)


async def _require_ok(response: aiohttp.ClientResponse) -> None:
    if response.status != 200:
        raise AnswerFailed(f"status {response.status}: {(await response.text())[:500]}")
