"""Whom to evict."""

import pytest

from services.worker.residency.policy import Held, victims
from services.worker.residency.sizes import Footprint
from shared.digest import Digest
from shared.errors import MemoryExceeded, WorkerBusy

GIB = 1 << 30


def gibs(host: int, device: int = 0) -> Footprint:
    return Footprint(host_bytes=host * GIB, device_bytes=device * GIB)


def held(
    name: str, *, gib: int = 1, device_gib: int = 0, in_use: bool = False, pinned: bool = False, used_s: float = 0.0
) -> Held:
    return Held(
        weights=Digest(name), takes=gibs(gib, device_gib), in_use=in_use, pinned=pinned, last_used_s=used_s
    )  # fmt: skip


def chosen(models: list[Held], *, wanted_gib: int = 1, memory_gib: int = 10, models_max: int = 3) -> list[Digest]:
    return victims(models, wanted=gibs(wanted_gib), room=gibs(memory_gib), models_max=models_max)


def chosen_for_gpu(models: list[Held], *, wanted_gib: int, device_gib: int) -> list[Digest]:
    return victims(models, wanted=gibs(0, wanted_gib), room=gibs(10, device_gib), models_max=3)


def test_nobody_leaves_when_there_is_room() -> None:
    assert chosen([held("a"), held("b")]) == []


def test_the_least_recently_used_model_leaves_first() -> None:
    assert chosen([held("a", used_s=2), held("b", used_s=1), held("c", used_s=3)]) == ["b"]


def test_as_many_leave_as_the_memory_needs() -> None:
    models = [held("a", gib=4, used_s=1), held("b", gib=4, used_s=2)]
    assert chosen(models, wanted_gib=2) == []
    assert chosen(models, wanted_gib=6) == ["a"]
    assert chosen(models, wanted_gib=7) == ["a", "b"]


def test_pinned_models_leave_last() -> None:
    assert chosen([held("a", pinned=True, used_s=1), held("b", used_s=5), held("c", used_s=6)]) == ["b"]
    assert chosen([held("a", gib=5, pinned=True, used_s=1)], wanted_gib=10) == ["a"]


def test_a_model_in_use_is_never_evicted() -> None:
    assert chosen([held("a", in_use=True), held("b", in_use=True), held("c", used_s=9)]) == ["c"]
    with pytest.raises(WorkerBusy):
        chosen([held(name, in_use=True) for name in "abc"])
    with pytest.raises(WorkerBusy):
        chosen([held("a", gib=6, in_use=True)], wanted_gib=5)


def test_a_model_that_never_fits_is_refused_with_both_sizes() -> None:
    with pytest.raises(MemoryExceeded) as refused:
        chosen([], wanted_gib=11)
    expected = "model requires more system memory (11.0 GiB) than is available (10.0 GiB)"
    assert refused.value.message == expected


def test_a_model_of_exactly_the_whole_memory_fits() -> None:
    assert chosen([held("a")], wanted_gib=10) == ["a"]


def test_a_model_on_the_cpu_makes_no_room_on_the_gpu() -> None:
    models = [held("cpu", gib=9, used_s=1), held("gpu", gib=0, device_gib=8, used_s=2)]
    assert chosen_for_gpu(models, wanted_gib=2, device_gib=10) == []
    assert chosen_for_gpu(models, wanted_gib=3, device_gib=10) == ["gpu"]


def test_a_model_that_is_partly_on_the_gpu_makes_room_there() -> None:
    models = [held("both", gib=1, device_gib=1, used_s=1), held("gpu", gib=0, device_gib=7, used_s=2)]
    assert chosen_for_gpu(models, wanted_gib=3, device_gib=10) == ["both"]


def test_a_gpu_in_use_is_waited_for_and_one_too_small_is_not() -> None:
    with pytest.raises(WorkerBusy):
        chosen_for_gpu([held("gpu", device_gib=8, in_use=True)], wanted_gib=3, device_gib=10)
    with pytest.raises(MemoryExceeded, match=r"more GPU memory \(11.0 GiB\) than is available \(10.0 GiB\)"):
        chosen_for_gpu([], wanted_gib=11, device_gib=10)
