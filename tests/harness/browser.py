"""People with a headless Chromium, driven from a room of their own (`tests/clients/open-webui/drive.py`)."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tools.client_rooms import CLIENTS, OPEN_WEBUI

PROGRAM = CLIENTS / "open-webui" / "drive.py"
ORDER_S = 60.0
CERTIFICATE_BEGINS = b"-----BEGIN CERTIFICATE-----"


def chromium() -> str:
    """The browser's program; skips the calling test when the machine has none."""
    found = os.environ.get("CORRAL_TEST_CHROMIUM") or shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not on this machine (CORRAL_TEST_CHROMIUM names another place)")
    return found


def pin_of(certificate: Path) -> str:
    """What Chromium knows a server by whose certificate nobody vouches for: the hash of its public key."""
    data = certificate.read_bytes()
    key = x509.load_pem_x509_certificate(data[data.index(CERTIFICATE_BEGINS) :]).public_key()
    shown = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(shown).digest()).decode()


@dataclass(frozen=True)
class Person:
    """Somebody with a browser profile of their own."""

    name: str
    process: asyncio.subprocess.Process

    async def does(self, what: str, **how: object) -> Any:
        """Do what a method of `drive.Person` says; gives what it returns.

        Raises: AssertionError when it cannot be done.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"who": self.name, "do": what, "how": how}).encode() + b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), ORDER_S)
        assert line, "the browser's driver ended"
        reply = json.loads(line)
        assert "error" not in reply, reply["error"]
        return reply["value"]


@contextlib.asynccontextmanager
async def running_browser(url: str, certificate: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A browser that trusts this certificate, for the length of the block."""
    process = await asyncio.create_subprocess_exec(
        str(OPEN_WEBUI.python), str(PROGRAM), url, chromium(), pin_of(certificate),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        # The driver ends with its orders, and closes the browser.
        await asyncio.wait_for(process.communicate(b""), ORDER_S)
