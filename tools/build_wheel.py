"""Compile llama-cpp-python once per user and keep the wheel; every later environment installs it from there.

The folder's name covers everything that shapes the result: version, source digest, Python, platform and CMAKE_ARGS.
Runs on a bare Python: nothing here may import more than the standard library.
"""

import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from tools import progress

ROOT = Path(__file__).resolve().parent.parent
LLAMA_LOCK = ROOT / "locks" / "llama-cpp.lock"
BUILD_LOCK = ROOT / "locks" / "build.lock"
DEFAULT_CMAKE_ARGS = "-DGGML_NATIVE=OFF"  # native builds crash on some virtual machines (AMX kernels, SIGILL)
LOG_TAIL_LINES = 40

_PIN = re.compile(r"^llama-cpp-python==(?P<version>\S+)", re.MULTILINE)
_NINJA_STEP = re.compile(r"\[\s*(\d+)/(\d+)\]")


class BuildFailed(Exception):
    """The wheel could not be compiled; the message says why and where the whole log is."""


def cmake_args(environ: Mapping[str, str]) -> str:
    return environ.get("CMAKE_ARGS") or DEFAULT_CMAKE_ARGS


def cache_folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "corral" / "wheels"


def wheel_key(lock_text: str, arguments: str) -> str:
    """The cache folder's name for what `lock_text` pins, compiled with `arguments` for this Python and machine."""
    pin = _PIN.search(lock_text)
    if pin is None:
        raise BuildFailed("locks/llama-cpp.lock does not pin llama-cpp-python")
    shape = hashlib.sha256(f"{lock_text}\n{arguments}".encode()).hexdigest()[:12]
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    machine = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    libc = "".join(platform.libc_ver())
    return f"llama_cpp_python-{pin['version']}-{python}-{machine}-{libc or 'libc'}-{shape}"


def step_of(line: str) -> tuple[int, int] | None:
    """How far the compiler is, when `line` is one of ninja's."""
    match = _NINJA_STEP.search(line)
    return None if match is None else (int(match[1]), int(match[2]))


def cached_wheel(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("*.whl"))), None)


def ensure_wheel(environ: Mapping[str, str]) -> Path:
    """The wheel from the cache, compiled first if need be.

    Raises: BuildFailed (nothing was added to the cache).
    """
    arguments = cmake_args(environ)
    folder = cache_folder(environ) / wheel_key(LLAMA_LOCK.read_text(encoding="utf-8"), arguments)
    wheel = cached_wheel(folder)
    if wheel is not None:
        return wheel
    require_compiler(environ)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as scratch:
        compile_wheel(Path(scratch), arguments, environ, log=folder.parent / f"{folder.name}.log")
        publish(Path(scratch) / "dist", folder)
    published = cached_wheel(folder)
    assert published is not None
    return published


def require_compiler(environ: Mapping[str, str]) -> None:
    names = [environ["CXX"].split()[0]] if environ.get("CXX") else ["c++", "g++", "clang++"]
    if not any(shutil.which(name) for name in names):
        raise BuildFailed(f"llama.cpp must be compiled, but there is no C++ compiler here (looked for {names})")


def publish(built: Path, folder: Path) -> None:
    """Move the finished folder to its place in one step; whoever was first wins, both wheels being alike."""
    try:
        built.rename(folder)
    except OSError:
        if cached_wheel(folder) is None:
            raise


def compile_wheel(scratch: Path, arguments: str, environ: Mapping[str, str], *, log: Path) -> None:
    """Compile into `scratch/dist` with pinned build tools, showing how far it is; all output goes to `log`."""
    print(f"    Compiling llama.cpp with CMAKE_ARGS={arguments!r}: minutes, but only once for this user.", flush=True)
    print(f"    Everything the compiler says is in {log}", flush=True)
    tools = scratch / "tools"
    subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True)
    pip = [str(tools / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    locked = ["--require-hashes", "--no-deps", "-r"]
    env = {
        **environ,
        "CMAKE_ARGS": arguments,
        "PATH": f"{tools / 'bin'}{os.pathsep}{environ.get('PATH', os.defpath)}",
    }
    with log.open("w", encoding="utf-8") as sink:
        logged([*pip, "install", *locked, str(BUILD_LOCK)], env, sink, log)
        dist = ["--wheel-dir", str(scratch / "dist"), "--no-cache-dir", "--no-build-isolation"]
        logged([*pip, "wheel", "-v", *dist, *locked, str(LLAMA_LOCK)], env, sink, log)


def logged(command: list[str], env: Mapping[str, str], sink: TextIO, log: Path) -> None:
    """Run `command`, copying its output to `sink` and turning the compiler's steps into progress.

    Raises: BuildFailed with the end of the log.
    """
    process = subprocess.Popen(
        command,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that the compilers can be ended together
    )
    assert process.stdout is not None
    with process, progress.Meter("    compiled", unit="files") as meter:
        try:
            for done, total in _steps(process.stdout, sink):
                meter.show(done, total)
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.returncode != 0:
        sink.flush()
        tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-LOG_TAIL_LINES:])
        raise BuildFailed(f"{tail}\n\ncompiling llama-cpp-python failed; the whole log is {log}")


def _steps(output: Iterable[str], sink: TextIO) -> Iterator[tuple[int, int]]:
    for line in output:
        sink.write(line)
        step = step_of(line)
        if step is not None:
            yield step


if __name__ == "__main__":
    started_s = time.monotonic()
    try:
        print(ensure_wheel(os.environ))
    except BuildFailed as failure:
        sys.exit(f"Error: {failure}")
    print(f"took {time.monotonic() - started_s:.0f} s", file=sys.stderr)
