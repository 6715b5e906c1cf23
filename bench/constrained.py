"""`python -m bench.constrained`: what structured output costs. Tokens per second with a JSON schema and without one.

The two take turns on one cluster with the same questions; rates are the engine's own counts over its decoding time.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
from pathlib import Path
from typing import Final

import aiohttp

from bench.prompts import question
from bench.servers import Server, Shape, running_corral

SCHEMA: Final = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 40, "maxLength": 80},
        "author": {"type": "string", "minLength": 20, "maxLength": 60},
        "year": {"type": "integer", "minimum": 1500, "maximum": 2030},
        "summary": {"type": "string", "minLength": 150, "maxLength": 300},
        "fiction": {"type": "boolean"},
    },
    "required": ["title", "author", "year", "summary", "fiction"],
    "additionalProperties": False,
}


async def tokens_per_s(session: aiohttp.ClientSession, server: Server, numbers: range, *, constrained: bool) -> float:
    """The rate over all questions together, one after the other."""
    tokens = duration_ns = 0
    for number in numbers:
        body: dict[str, object] = {
            "model": server.model,
            "prompt": question(number),
            "stream": False,
            "options": {"temperature": 0, "num_predict": 128},
        }
        if constrained:
            body["format"] = SCHEMA
        async with session.post(f"{server.url}/api/generate", json=body) as response:
            response.raise_for_status()
            reply = await response.json()
        tokens += reply["eval_count"]
        duration_ns += reply["eval_duration"]
    return tokens / duration_ns * 1e9


async def measure(rounds: int, answers: int) -> list[tuple[float, float]]:
    """Rates without and with the schema, for each round."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shape = Shape(slots=1, context_tokens=2048, threads=threads)
    rates: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as home:
        async with aiohttp.ClientSession() as session, running_corral(session, shape, Path(home)) as server:
            for constrained in (False, True):  # the model is loaded, the vocabulary read
                await tokens_per_s(session, server, range(1), constrained=constrained)
            for turn in range(rounds):
                numbers = range(1 + turn * answers, 1 + (turn + 1) * answers)
                plain = await tokens_per_s(session, server, numbers, constrained=False)
                rates.append((plain, await tokens_per_s(session, server, numbers, constrained=True)))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.constrained", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    parser.add_argument("--answers", type=int, default=3, help="answers a turn")
    options = parser.parse_args()
    rates = asyncio.run(measure(options.rounds, options.answers))
    for plain, constrained in rates:
        print(f"{plain:8.1f} tokens/s without, {constrained:8.1f} with a schema: {constrained / plain:.3f}")
    print(f"median ratio {statistics.median(constrained / plain for plain, constrained in rates):.3f}")


if __name__ == "__main__":
    main()
