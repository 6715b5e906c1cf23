"""Which model is asked for a stream."""

from corral.doctor.cluster import Cluster, Resident, Worker
from corral.doctor.facts import Model
from corral.doctor.gathering.streaming import chosen

SMALL, LARGE = Model(name="small", size_bytes=1), Model(name="large", size_bytes=9)
EMBEDDER = Model(name="embedder", size_bytes=0, generates=False)


def holding(*models: Resident) -> Cluster:
    return Cluster(version="1", gateway="g", clock_unix_ms=1, workers=(Worker(id="w", models=models),))


def test_a_model_in_memory_is_asked_before_a_smaller_one_that_would_have_to_be_loaded() -> None:
    assert chosen([SMALL, LARGE], holding(Resident(model="large"))) == LARGE
    assert chosen([LARGE, SMALL], holding(Resident(model="large", state="loading"))) == SMALL


def test_a_model_that_only_embeds_is_not_asked() -> None:
    assert chosen([EMBEDDER, LARGE], holding(Resident(model="embedder"))) == LARGE
    assert chosen([EMBEDDER], holding()) is None
