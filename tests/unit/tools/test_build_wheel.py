"""The wheel cache: what its key covers, how a wheel gets into it."""

import os
import sys
from pathlib import Path

import pytest

from tools.build_wheel import (
    BuildFailed,
    cache_folder,
    cached_wheel,
    cmake_args,
    ensure_wheel,
    logged,
    publish,
    step_of,
    wheel_key,
)

LOCK = "llama-cpp-python==1.2.3 \\\n    --hash=sha256:aa\n"


def test_the_key_covers_version_source_and_arguments() -> None:
    keys = {
        wheel_key(LOCK, "-DX=1"),
        wheel_key(LOCK, "-DX=2"),
        wheel_key(LOCK.replace("aa", "bb"), "-DX=1"),
        wheel_key(LOCK.replace("1.2.3", "1.2.4"), "-DX=1"),
    }
    assert len(keys) == 4
    assert all(key.startswith("llama_cpp_python-1.2.") for key in keys)
    assert wheel_key(LOCK, "-DX=1") == wheel_key(LOCK, "-DX=1")


def test_a_lock_without_the_pin_is_refused() -> None:
    with pytest.raises(BuildFailed):
        wheel_key("numpy==1\n", "")


def test_the_cache_follows_the_users_choice() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/corral/wheels")
    assert cache_folder({}) == Path.home() / ".cache/corral/wheels"
    assert cmake_args({"CMAKE_ARGS": "-DGGML_CUDA=ON"}) == "-DGGML_CUDA=ON"
    assert cmake_args({}) == "-DGGML_NATIVE=OFF"


@pytest.mark.parametrize(
    ("line", "step"),
    [("  [ 12/456] Building C object x.o", (12, 456)), ("[3/3] Linking", (3, 3)), ("-- Configuring done", None)],
)
def test_the_compilers_steps_are_recognised(line: str, step: tuple[int, int] | None) -> None:
    assert step_of(line) == step


def test_the_first_of_two_builders_publishes_and_the_second_is_content(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.whl").write_text(name)
        publish(tmp_path / name, folder)
    wheel = cached_wheel(folder)
    assert wheel is not None
    assert wheel.read_text() == "first"


def test_without_a_compiler_the_reason_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path), "CXX": "no-such-compiler"}
    with pytest.raises(BuildFailed, match="C\\+\\+ compiler"):
        ensure_wheel(environ)
    assert list(tmp_path.iterdir()) == []


def test_the_compilers_output_becomes_progress_and_all_of_it_a_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    program = "print('configuring'); print('[1/2] one'); print('[2/2] two')"
    with log.open("w") as sink:
        logged([sys.executable, "-c", program], os.environ, sink, log)
    assert log.read_text() == "configuring\n[1/2] one\n[2/2] two\n"
    assert "compiled 2/2 files (100 %" in capsys.readouterr().out


def test_a_failed_build_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = "print('no such header'); raise SystemExit(1)"
    with log.open("w") as sink, pytest.raises(BuildFailed, match="no such header"):
        logged([sys.executable, "-c", program], os.environ, sink, log)
