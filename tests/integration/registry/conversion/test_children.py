"""The child processes that convert: bounded, ended with whoever wanted them, and never trusted to survive."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import psutil
import pytest

from fakes.polling import until
from fakes.tiny_checkpoints import LLAMA_CONFIG, byte_level_tokenizer, llama_weights, write_folder
from services.registry.conversion.converter import ConversionLimits, Converter
from shared.errors import InternalError, ModelFileInvalid

CONFIG = {**LLAMA_CONFIG, "vocab_size": 640}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return write_folder(tmp_path_factory.mktemp("model"), CONFIG, llama_weights(CONFIG), byte_level_tokenizer())


@pytest.fixture
def waiting_files(tmp_path: Path, files: Mapping[str, Path]) -> Mapping[str, Path]:
    """A model whose tokenizer nobody writes: the child reads its configuration and then waits for ever."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    return {**files, "tokenizer.json": pipe}


def converter(*, at_once_max: int = 1, memory_bytes_max: int = 1 << 30, stall_s: float = 60.0) -> Converter:
    limits = ConversionLimits(at_once_max=at_once_max, memory_bytes_max=memory_bytes_max, n_threads=1, stall_s=stall_s)
    return Converter(limits)


def children() -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children()
        if "services.registry.conversion" in _arguments(process) and process.status() != psutil.STATUS_ZOMBIE
    ]


def _arguments(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


@contextlib.asynccontextmanager
async def begun(work: Converter, files: Mapping[str, Path], output: Path) -> AsyncIterator[asyncio.Task[None]]:
    """A conversion whose child runs; ended, however the test leaves."""
    task = asyncio.create_task(work.convert(files, output, tell=lambda _share: None))
    await until(lambda: bool(children()), within_s=30)
    yield task
    task.cancel()
    await asyncio.wait([task])


async def test_a_conversion_tells_its_progress_and_its_output_appears_whole(
    tmp_path: Path, files: Mapping[str, Path]
) -> None:
    output = tmp_path / "out.gguf"
    shares: list[float] = []
    seen: list[bool] = []

    def tell(share: float) -> None:
        shares.append(share)
        seen.append(output.exists())

    await converter().convert(files, output, tell=tell)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 3
    assert not any(seen)
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


async def test_an_architecture_nobody_knows_is_refused_by_name(tmp_path: Path, files: Mapping[str, Path]) -> None:
    config = tmp_path / "config"
    config.write_text('{"architectures": ["MambaForCausalLM"]}', encoding="utf-8")
    with pytest.raises(ModelFileInvalid) as refused:
        await converter().convert({**files, "config.json": config}, tmp_path / "out", tell=lambda _share: None)
    assert refused.value.message == (
        "unsupported architecture 'MambaForCausalLM'; supported are BertModel, LlamaForCausalLM, MistralForCausalLM, "
        "Qwen2ForCausalLM, Qwen3ForCausalLM, XLMRobertaModel"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


async def test_cancelling_a_conversion_ends_its_child(tmp_path: Path, waiting_files: Mapping[str, Path]) -> None:
    async with begun(converter(), waiting_files, tmp_path / "out") as task:
        (child,) = children()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not child.is_running()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


async def test_a_child_that_stands_still_is_ended(tmp_path: Path, waiting_files: Mapping[str, Path]) -> None:
    with pytest.raises(InternalError, match=r"stood still for 0 s"):
        await converter(stall_s=0.1).convert(waiting_files, tmp_path / "out", tell=lambda _share: None)
    assert children() == []


@pytest.mark.parametrize(
    ("ending", "error"),
    [(signal.SIGABRT, ModelFileInvalid), (signal.SIGSEGV, ModelFileInvalid), (signal.SIGKILL, InternalError)],
)
async def test_a_child_that_dies_is_an_error_and_not_the_registrys_end(
    tmp_path: Path, waiting_files: Mapping[str, Path], ending: signal.Signals, error: type[Exception]
) -> None:
    async with begun(converter(), waiting_files, tmp_path / "out") as task:
        children()[0].send_signal(ending)
        with pytest.raises(error, match=f"the conversion was killed by {ending.name}"):
            await task
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


async def test_a_child_may_not_use_more_memory_than_it_is_given(tmp_path: Path, files: Mapping[str, Path]) -> None:
    tokenizer = tmp_path / "tokenizer"
    with tokenizer.open("wb") as file:
        file.truncate(120_000_000)
    with pytest.raises(InternalError, match="not enough memory: 150000000 bytes are allowed"):
        await converter(memory_bytes_max=150_000_000).convert(
            {**files, "tokenizer.json": tokenizer}, tmp_path / "out", tell=lambda _share: None
        )
    await converter(memory_bytes_max=150_000_000).convert(files, tmp_path / "out", tell=lambda _share: None)


async def test_conversions_wait_for_their_turn(
    tmp_path: Path, files: Mapping[str, Path], waiting_files: Mapping[str, Path]
) -> None:
    work = converter(at_once_max=1)
    async with begun(work, waiting_files, tmp_path / "first") as first:
        second = asyncio.create_task(work.convert(files, tmp_path / "second", tell=lambda _share: None))
        await until(lambda: not second.done() and len(children()) == 1)
        first.cancel()
        await second
    assert (tmp_path / "second").exists()


async def test_a_child_does_not_outlive_its_parent(tmp_path: Path, waiting_files: Mapping[str, Path]) -> None:
    names = {name: str(path) for name, path in waiting_files.items()}
    program = f"""
import asyncio, pathlib
from services.registry.conversion.converter import ConversionLimits, Converter
files = {{name: pathlib.Path(path) for name, path in {names!r}.items()}}
limits = ConversionLimits(at_once_max=1, memory_bytes_max=1 << 30, n_threads=1, stall_s=60)
asyncio.run(Converter(limits).convert(files, pathlib.Path({str(tmp_path / "out")!r}), tell=print))
"""
    parent = psutil.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    try:
        # Niceness is the last thing a child sets before it begins: from then on it is bound to its parent.
        await until(lambda: any(child.nice() > 0 for child in parent.children()), within_s=30)
        (child,) = parent.children()
    finally:
        parent.kill()
        parent.wait()
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
