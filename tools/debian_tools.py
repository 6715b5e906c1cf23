"""Fetch the real servers some tests run against (nginx, Prometheus, a registry), without root or installing them.

Debian's own packages are downloaded and verified by apt, and unpacked below the user's cache. A machine that has the
servers, or has no apt, is left alone; tests that miss a server say so. Runs on a bare Python: standard library only.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

BINARIES = {
    "nginx": "usr/sbin/nginx",
    "docker-registry": "usr/bin/docker-registry",
    "prometheus": "usr/bin/prometheus",  # and promtool beside it
    "prometheus-blackbox-exporter": "usr/bin/prometheus-blackbox-exporter",
    "prometheus-nginx-exporter": "usr/bin/prometheus-nginx-exporter",
    "prometheus-redis-exporter": "usr/bin/prometheus-redis-exporter",
}
"""Where each package keeps the program of the same name."""

FETCH_S = 300.0
_MISSING_LIBRARY = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)


class FetchFailed(Exception):
    """The package could not be had; the message says why."""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Below the user's cache, apart for each release and processor."""
    base = environ.get("XDG_CACHE_HOME")
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    system = f"{release.get('ID', 'unknown')}-{release.get('VERSION_ID', 'unversioned')}-{platform.machine()}"
    return (Path(base) if base else Path.home() / ".cache") / "corral" / "debian" / system


def find(package: str, environ: Mapping[str, str]) -> Path | None:
    """The program: the machine's own, else the one in the cache, else None."""
    system_path = os.pathsep.join((environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    if own := shutil.which(package, path=system_path):
        return Path(own)
    cached = cache_folder(environ) / package / BINARIES[package]
    return cached if cached.exists() else None


def run(*command: str, folder: Path) -> None:
    """Raises: FetchFailed with the last line the program said."""
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=FETCH_S)
    except subprocess.CalledProcessError as failure:
        said = str(failure.stderr).strip().splitlines() or [f"status {failure.returncode}"]
        raise FetchFailed(f"{command[0]}: {said[-1]}") from failure
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise FetchFailed(str(failure)) from failure


def private_apt(folder: Path) -> list[str]:
    """Options that keep apt's lists and caches in `folder`, so that it needs no root and changes nothing outside."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    values = {
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder,
        "Dir::Cache::archives": folder / "archives",
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "root",  # the folder is ours alone, apt's own user could not enter it
    }
    return [f"-o{name}={value}" for name, value in values.items()]


def download(package: str, folder: Path) -> Path:
    """Fetch the package into `folder`, first with the machine's package lists, then with fresh ones.

    Raises: FetchFailed.
    """
    try:
        run("apt-get", "-oAPT::Sandbox::User=root", "download", package, folder=folder)
    except FetchFailed:
        options = private_apt(folder)
        run("apt-get", *options, "update", folder=folder)
        run("apt-get", *options, "download", package, folder=folder)
    found = sorted(folder.glob(f"{package}_*.deb"))
    if not found:
        raise FetchFailed(f"apt-get downloaded no {package}")
    return found[0]


def missing_libraries(binary: Path) -> list[str]:
    """Shared libraries the program needs and this machine does not have."""
    shown = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)
    return _MISSING_LIBRARY.findall(shown.stdout)


def fetch(package: str, cache: Path) -> None:
    """Put the package into the cache, whole or not at all.

    Raises: FetchFailed.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{package}-", dir=cache) as temporary:
        folder = Path(temporary)
        archive = download(package, folder)
        run("dpkg-deb", "-x", str(archive), "unpacked", folder=folder)
        if missing := missing_libraries(folder / "unpacked" / BINARIES[package]):
            raise FetchFailed(f"it needs {', '.join(missing)}, which this machine does not have")
        try:
            (folder / "unpacked").rename(cache / package)
        except OSError as failure:
            if not (cache / package).is_dir():  # else another run was faster
                raise FetchFailed(str(failure)) from failure


def ensure(packages: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Fetch what is missing; returns a sentence for each package that cannot be had."""
    absent = [package for package in packages if find(package, environ) is None]
    if not absent:
        return []
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return [f"{', '.join(absent)}: neither installed nor to be had, for this machine has no apt"]
    problems = []
    for package in absent:
        print(f"fetching {package} for the tests", flush=True)
        try:
            fetch(package, cache_folder(environ))
        except FetchFailed as failure:
            problems.append(f"{package}: {failure}")
    return problems


def main() -> None:
    """Never stops a test run: what is missing is said here and again by every test that is skipped."""
    for problem in ensure(BINARIES, os.environ):
        print(f"Note: tests against a real server are skipped: {problem}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
