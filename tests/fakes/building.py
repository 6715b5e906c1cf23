"""The neighbours of a model builder: conversions that take no time, pulls without a network."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

from fakes import gguf_files as fake
from services.registry.transfers.progress import Progress
from shared.errors import CorralError
from shared.model_name import ModelName

_FILE_TYPES = {"F32": 0, "F16": 1, "Q8_0": 7, "Q4_K_S": 14, "Q4_K_M": 15, "BF16": 32}


class FakeConversions:
    """Every result is a tiny model of the wanted type. A conversion waits until it `may_end`; `calls` tells of each."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.error: CorralError | None = None

    async def convert(self, files: Mapping[str, Path], output: Path, *, tell: Callable[[float], None]) -> None:
        await self._make(f"convert {sorted(files)}", fake.tiny_model(general__file_type=_number("F16")), output, tell)

    async def convert_adapter(
        self, files: Mapping[str, Path], base: Path, output: Path, *, tell: Callable[[float], None]
    ) -> None:
        adapter = fake.tiny_model(general__type=fake.string("adapter"))
        await self._make(f"convert_adapter {sorted(files)} for {base.name}", adapter, output, tell)

    async def quantize(self, source: Path, output: Path, file_type: str, *, tell: Callable[[float], None]) -> None:
        quantized = fake.tiny_model(general__file_type=_number(file_type))
        await self._make(f"quantize {source.name} {file_type}", quantized, output, tell)

    async def _make(self, call: str, content: bytes, output: Path, tell: Callable[[float], None]) -> None:
        self.calls.append(call)
        tell(0.5)
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        output.write_bytes(content)
        tell(1.0)


def _number(file_type: str) -> bytes:
    return fake.typed("u32", _FILE_TYPES[file_type])


class FakePull:
    def __init__(self, steps: list[Progress], finish: Callable[[], None], error: CorralError | None) -> None:
        self._steps = steps
        self._finish = finish
        self._error = error

    async def follow(self) -> AsyncGenerator[Progress, None]:
        for step in self._steps:
            yield step
        if self._error is not None:
            raise self._error
        self._finish()
        yield Progress(status="success")


class FakePulls:
    """Pulls whose effect on the store is `arrive`, called with the name at their end."""

    def __init__(self) -> None:
        self.pulled: list[str] = []
        self.steps: list[Progress] = []
        self.error: CorralError | None = None
        self.arrive: Callable[[ModelName], None] = lambda _name: None

    async def pull(self, name: ModelName) -> FakePull:
        self.pulled.append(name.short)
        return FakePull(self.steps, lambda: self.arrive(name), self.error)
