"""Runs clients that live in rooms of their own, and reads what they print."""

import asyncio
import json
import os
from typing import Any, Final

import pytest

from tools import client_rooms

CALLS_S: Final = 120.0


async def javascript(script: str, *arguments: str) -> dict[str, Any]:
    """What a script of `tests/clients/javascript` prints; skips the test where its packages could not be had."""
    if not client_rooms.JAVASCRIPT_STAMP.exists():
        pytest.skip("the JavaScript clients are not installed (python -m tools.client_rooms)")
    program = client_rooms.JAVASCRIPT / script
    return await _printed(str(client_rooms.node_folder() / "node"), str(program), *arguments)


async def litellm(*arguments: str) -> dict[str, Any]:
    """What `tests/clients/litellm/calls.py` prints; skips the test where litellm could not be had."""
    if not client_rooms.LITELLM.stamp.exists():
        pytest.skip("litellm is not installed (python -m tools.client_rooms)")
    program = client_rooms.CLIENTS / "litellm" / "calls.py"
    return await _printed(str(client_rooms.LITELLM.python), str(program), *arguments)


async def _printed(*command: str) -> dict[str, Any]:
    # Offline: prices and versions are no business of these tests.
    environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        printed, complaints = await asyncio.wait_for(process.communicate(), CALLS_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode(errors="replace")[-4000:]
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return result
