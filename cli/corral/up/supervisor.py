"""Starts the services in order, starts again what ends, stops all in reverse. What they are is `plan.py`'s."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from corral.errors import CliError
from corral.up.plan import Service, Stages
from corral.up.processes import Child, outcome
from corral.up.readiness import until_ready
from corral.up.restarts import quick_deaths, restart_delay_s

READY_WAIT_S: Final = 120.0

Delay = Callable[[int], float]


class ServiceFailed(CliError):
    """A service ended, or did not get ready, while the cluster was starting."""


class Supervisor:
    """Owns every child process. Must live in the main thread (see `processes.py`)."""

    def __init__(
        self, stages: Stages, logs: Path, say: Callable[[str], None], *, delay_s: Delay = restart_delay_s
    ) -> None:
        self._stages = stages
        self._logs = logs
        self._say = say
        self._delay_s = delay_s
        self._children: dict[str, Child] = {}

    async def start(self) -> None:
        """Bring up stage after stage, each once the one before is ready.

        Raises: ServiceFailed with the end of the log; what already runs goes on until `stop`.
        """
        for stage in self._stages:
            async with asyncio.TaskGroup() as starting:
                for service in stage:
                    starting.create_task(self._start_first(service))

    async def _start_first(self, service: Service) -> None:
        self._say(f"  {service.name}: starting")
        child = await self._launch(service)
        problem = await self._until_ready(child, lambda reason: self._say(f"  {service.name}: {reason}"))
        if problem:
            raise ServiceFailed(f"{service.name} {problem}\n\n{child.log_tail()}\n\nIts whole log: {child.log}")
        took_s = asyncio.get_running_loop().time() - child.started_s
        self._say(f"  {service.name}: ready after {took_s:.1f} s")

    async def _launch(self, service: Service) -> Child:
        try:
            child = await Child.start(service, self._logs)
        except OSError as cause:
            raise ServiceFailed(f"{service.name} cannot be started: {cause}") from cause
        self._children[service.name] = child
        return child

    async def _until_ready(self, child: Child, on_wait: Callable[[str], None]) -> str:
        """Empty when it became ready, else what happened instead."""
        ready = asyncio.create_task(until_ready(child.service, on_wait))
        ended = asyncio.create_task(child.wait())
        try:
            await asyncio.wait({ready, ended}, timeout=READY_WAIT_S, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return f"ended with {outcome(ended.result())} before it was ready"
            if not ready.done():
                return f"was not ready within {READY_WAIT_S:.0f} s"
            ready.result()
            return ""
        finally:
            for task in (ready, ended):
                task.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)

    async def keep_running(self) -> None:
        """Start again whatever ends, until cancelled."""
        async with asyncio.TaskGroup() as watching:
            for service in (service for stage in self._stages for service in stage):
                watching.create_task(self._keep_running(service))

    async def _keep_running(self, service: Service) -> None:
        deaths = 0
        while True:
            child = self._children[service.name]
            ending = outcome(await child.wait())
            child.kill()  # what it left behind in its process group
            lived_s = asyncio.get_running_loop().time() - child.started_s
            deaths = quick_deaths(deaths, lived_s)
            delay_s = self._delay_s(deaths)
            self._say(f"{service.name} ended with {ending}; starting it again in {delay_s:g} s (log: {child.log})")
            await asyncio.sleep(delay_s)
            await self._start_again(service)

    async def _start_again(self, service: Service) -> None:
        try:
            child = await self._launch(service)
        except ServiceFailed as failure:
            self._say(str(failure))
            return
        problem = await self._until_ready(child, lambda _reason: None)
        self._say(f"{service.name} {problem}" if problem else f"{service.name} is back")

    async def stop(self) -> None:
        """Let the stages drain, last started first; whoever does not leave in time is killed."""
        for stage in reversed(self._stages):
            children = [self._children[service.name] for service in stage if service.name in self._children]
            await asyncio.gather(*(self._stop(child) for child in children))

    async def _stop(self, child: Child) -> None:
        if not child.has_ended:
            self._say(f"stopping {child.service.name}")
        if not await child.stop():
            self._say(f"{child.service.name} did not leave within {child.service.stop_s:g} s and was killed")

    def kill(self) -> None:
        """End everything at once, for a user who will not wait."""
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.kill()
