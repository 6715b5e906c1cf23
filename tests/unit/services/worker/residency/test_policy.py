"""Whom to evict."""

import pytest

from services.worker.residency.policy import Held, victims
from shared.digest import Digest
from shared.errors import MemoryExceeded, WorkerBusy

GIB = 1 << 30


def held(name: str, *, gib: int = 1, in_use: bool = False, pinned: bool = False, used_s: float = 0.0) -> Held:
    return Held(weights=Digest(name), size_bytes=gib * GIB, in_use=in_use, pinned=pinned, last_used_s=used_s)


def chosen(models: list[Held], *, wanted_gib: int = 1, memory_gib: int = 10, models_max: int = 3) -> list[Digest]:
    return victims(models, wanted_bytes=wanted_gib * GIB, memory_bytes_max=memory_gib * GIB, models_max=models_max)


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
