"""Asking for GPUs: the answer, and what happens when none comes."""

import sys

import llama_cpp
import pytest
from structlog.testing import capture_logs

from services.worker.devices import find_devices
from shared.cluster_state import Device

ANSWER = '[{"name": "A GPU", "kind": "gpu", "memory_bytes_total": 8, "memory_bytes_free": 7}]'


def program(source: str) -> tuple[str, ...]:
    return (sys.executable, "-c", source)


async def test_what_the_child_says_is_believed() -> None:
    (device,) = await find_devices(program(f"print({ANSWER!r})"))
    assert device == Device(name="A GPU", kind="gpu", memory_bytes_total=8, memory_bytes_free=7)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import sys; sys.exit('the driver is too old')", "the driver is too old"),
        ("import os; os.abort()", ""),
        ("print('[{]')", ""),
    ],
)
async def test_a_child_that_fails_leaves_the_cpu_and_a_reason(source: str, reason: str) -> None:
    with capture_logs() as logs:
        assert await find_devices(program(source)) == ()
    (missed,) = logs
    assert missed["event"] == "devices_missed"
    assert reason in missed["reason"]


async def test_a_driver_that_hangs_holds_nothing_up() -> None:
    with capture_logs() as logs:
        assert await find_devices(program("import time; time.sleep(60)"), within_s=0.05) == ()
    assert [entry["event"] for entry in logs] == ["devices_missed"]


async def test_llama_cpp_itself_answers() -> None:
    with capture_logs() as logs:
        found = await find_devices()
    assert [entry["event"] for entry in logs] == ["devices_found"]
    assert bool(found) == llama_cpp.llama_supports_gpu_offload()
