"""Real servers from Debian's packages: the machine's own, else those that `tools.debian_tools` fetched."""

import os
from pathlib import Path

import pytest

from tools.debian_tools import find


def debian_binary(package: str) -> Path:
    """The program of the package; skips the calling test when the machine does not have it."""
    binary = find(package, os.environ)
    if binary is None:
        pytest.skip(f"{package} is not on this machine; `python -m tools.debian_tools` fetches it where apt is present")
    return binary
