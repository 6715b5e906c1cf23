"""The residency manager of a machine with a GPU."""

from pathlib import Path

import aiohttp
import pytest

from fakes.clock import FakeClock
from fakes.residency import ResidencyHarness, opened_with, threads_of
from services.worker.residency.sizes import Footprint
from shared.cluster_state import Device

GPU = Device(name="A GPU", kind="gpu", memory_bytes_total=8 << 30, memory_bytes_free=8 << 30)


@pytest.fixture
async def harness(tmp_path: Path, clock: FakeClock) -> ResidencyHarness:
    async with aiohttp.ClientSession() as session:
        room = Footprint(host_bytes=10 << 30, device_bytes=7 << 30)
        return ResidencyHarness(tmp_path, clock, session, room=room, devices=(GPU,))


async def test_layers_go_to_the_gpu_as_far_as_they_fit_or_as_the_model_says(harness: ResidencyHarness) -> None:
    await harness.load("a", gib=6)
    await harness.load("b", gib=12)  # the first one leaves for it
    await harness.load("c", gib=1, params={"num_gpu": 0})
    assert [opened_with(runner).n_gpu_layers for runner in harness.runners] == [-1, 4, 0]
    state = harness.residency.state(draining=False)
    assert [model.weights[-1] for model in state.models] == ["b", "c"]
    assert (state.devices, state.device_memory_bytes_max) == ((GPU,), 7 << 30)
    partly, on_cpu = state.models
    assert 0 < partly.device_bytes <= 7 << 30
    assert on_cpu.device_bytes == 0


async def test_a_model_on_the_gpu_leaves_the_cores_to_the_others(harness: ResidencyHarness) -> None:
    first, second = await harness.load("a"), await harness.load("b", params={"num_gpu": 0})
    leases = [harness.lease(first), harness.lease(second)]
    assert [threads_of(runner) for runner in harness.runners] == [1, 4]
    for lease in leases:
        lease.release()
