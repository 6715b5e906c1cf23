"""Ask llama.cpp for its GPUs, in a process that ends with the answer."""

import asyncio
import sys
from typing import Final

import msgspec
import structlog

from shared.cluster_state import Device

log = structlog.get_logger("corral.worker")

PROGRAM: Final = (sys.executable, "-m", "services.worker.llama.devices")
LOOK_S_MAX: Final = 60.0  # a driver that nobody uses takes seconds to start


async def find_devices(program: tuple[str, ...] = PROGRAM, *, within_s: float = LOOK_S_MAX) -> tuple[Device, ...]:
    """The GPUs models can be put on; none where there are none, or where asking fails, which is logged."""
    process = await asyncio.create_subprocess_exec(
        *program, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(within_s):
            answer, complaints = await process.communicate()
        found = msgspec.json.decode(answer, type=tuple[Device, ...])
    except TimeoutError:
        log.warning("devices_missed", reason=f"no answer within {within_s:.0f} s")
        return ()
    except msgspec.DecodeError:
        log.warning("devices_missed", reason=complaints.decode(errors="replace")[-500:], exit_code=process.returncode)
        return ()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    log.info("devices_found", devices=[msgspec.to_builtins(device) for device in found])
    return found
