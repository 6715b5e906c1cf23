"""Conversion and quantization as the registry's other parts use them.

The contract, for whoever builds models:

- `files` maps the relative names of a folder import (`config.json`, `model-00001-of-00002.safetensors`,
  `1_Pooling/config.json`) to the blobs that hold their content. Only the content at these paths is read; names are
  never joined to a path. A model needs `config.json`, its safetensors, and `tokenizer.json` or `tokenizer.model`.
- `output` is a path of the caller's on a file system with room, best a fresh `StorePaths.new_upload()`. It appears
  when it is complete, synced to disk, and not otherwise; until then the work is in `<output>.partial`, which is
  always removed. Hashing and publishing it is the caller's business.
- `tell` hears the share that is done, rising within 0…1; it is called on the event loop and must not block.
- Cancelling the call ends the child at once. So does the end of this process.
- At most `at_once_max` children run; further calls wait their turn, in order.

Raises, everywhere: ModelFileInvalid with a reason for people when the files are at fault (unsupported architecture or
tokenizer, missing or malformed tensors, a file that makes llama.cpp crash), InternalError when something else is (no
memory, no disk).
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import structlog

from services.registry.conversion.children import run_child
from services.registry.conversion.file_types import TARGETS
from services.registry.conversion.messages import Convert, ConvertAdapter, Quantize, Work
from services.registry.publishing import on_thread

log = structlog.get_logger("corral.registry")


class ConversionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What conversions may use; the values are the registry's Settings."""

    at_once_max: int
    memory_bytes_max: int
    n_threads: int
    stall_s: float


class Converter:
    """One per process, because it is what bounds the number of children."""

    def __init__(self, limits: ConversionLimits) -> None:
        self._limits = limits
        self._turns = asyncio.Semaphore(limits.at_once_max)

    async def convert(self, files: Mapping[str, Path], output: Path, *, tell: Callable[[float], None]) -> None:
        """Make a GGUF of a folder of safetensors: 16-bit weights as they come, F32 ones as F16, vectors as F32."""
        partial = _partial(output)
        await self._run(Convert(files=_texts(files), output=str(partial)), partial, output, tell)

    async def convert_adapter(
        self, files: Mapping[str, Path], base: Path, output: Path, *, tell: Callable[[float], None]
    ) -> None:
        """Make a GGUF adapter of a PEFT LoRA folder; `base` is the GGUF of the model that it adapts."""
        partial = _partial(output)
        await self._run(ConvertAdapter(files=_texts(files), base=str(base), output=str(partial)), partial, output, tell)

    async def quantize(self, source: Path, output: Path, file_type: str, *, tell: Callable[[float], None]) -> None:
        """Write a GGUF again with another type; `file_type` is one of `file_types.TARGETS`."""
        partial = _partial(output)
        work = Quantize(
            source=str(source),
            output=str(partial),
            file_type=TARGETS[file_type],
            n_threads=self._limits.n_threads,
        )
        await self._run(work, partial, output, tell)

    async def _run(self, work: Work, partial: Path, output: Path, tell: Callable[[float], None]) -> None:
        async with self._turns:
            started_s = asyncio.get_running_loop().time()
            try:
                await run_child(
                    work, memory_bytes_max=self._limits.memory_bytes_max, stall_s=self._limits.stall_s, tell=tell
                )
                size_bytes = await on_thread(_publish, partial, output)
            finally:
                await on_thread(_remove, partial)
            took_s = round(asyncio.get_running_loop().time() - started_s, 3)
            log.info("model_converted", work=type(work).__name__, took_s=took_s, size_bytes=size_bytes)


def _partial(output: Path) -> Path:
    return output.with_name(f"{output.name}.partial")


def _texts(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: str(path) for name, path in files.items()}


def _publish(partial: Path, output: Path) -> int:
    """Give the finished file its name; returns its size in bytes."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
        size_bytes = os.fstat(file.fileno()).st_size
    partial.rename(output)
    return size_bytes


def _remove(partial: Path) -> None:
    partial.unlink(missing_ok=True)
