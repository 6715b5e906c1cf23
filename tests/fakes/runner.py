"""A runner without a process: remembers what it was told, loads at once or when the test lets it."""

import asyncio
from collections.abc import Callable

from services.worker.runner.messages import Command, Open, Opened, StepDone
from services.worker.runner_process import RunnerProcess
from shared.errors import CorralError


class FakeRunner(RunnerProcess):
    """`may_open` holds loading up until it is set; `refusal` is what opening then raises."""

    def __init__(self, on_step: Callable[[StepDone], None], on_exit: Callable[[str], None]) -> None:
        super().__init__(on_step, on_exit)
        self.told: list[Command] = []
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.refusal: CorralError | None = None
        self.is_closed = False

    async def open(self, command: Open, *, timeout_s: float) -> Opened:
        self.told.append(command)
        await self.may_open.wait()
        if self.refusal is not None:
            raise self.refusal
        return Opened(chat_template=None, bos_text="", eos_text="", context_tokens=command.params.n_ctx_seq, load_s=0.1)

    def _send(self, command: Command) -> None:
        assert not self.is_closed
        self.told.append(command)

    async def close(self) -> None:
        self.is_closed = True

    def report(self, step: StepDone) -> None:
        self._on_step(step)

    def die(self, reason: str) -> None:
        self._on_exit(reason)
