"""Asks a model for a few tokens and notes when they come."""

from collections.abc import Sequence
from typing import Final

from corral.client import Json
from corral.doctor.checks.streaming import DECODE_S_MIN
from corral.doctor.cluster import Cluster
from corral.doctor.facts import Model, Stream
from corral.doctor.gathering.probe import Probe
from corral.errors import CliError

TOKENS: Final = (24, 192)
"""A model that is fast is asked a second time, for more."""

COUNTING: Final = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,"


def chosen(models: Sequence[Model], cluster: Cluster) -> Model | None:
    """The smallest in memory, so that nothing has to be loaded; else the smallest there is."""
    resident = {one.model for worker in cluster.workers for one in worker.models if one.state == "ready"}
    able = [model for model in models if model.generates]
    return min(able, key=lambda model: (model.name not in resident, model.size_bytes), default=None)


def asked(probe: Probe, model: Model) -> Stream:
    stream = Stream(model=model.name)
    for tokens in TOKENS:
        stream = _asked_once(probe, model, tokens)
        if stream.problem or stream.decode_s >= DECODE_S_MIN:
            break
    return stream


def _asked_once(probe: Probe, model: Model, tokens: int) -> Stream:
    body: Json = {
        "model": model.name,
        "prompt": COUNTING,
        "raw": True,
        "options": {"num_predict": tokens, "temperature": 0},
    }
    arrivals_s: list[float] = []
    last: Json = {}
    try:
        for arrived_s, event in probe.events("/api/generate", body):
            last = event
            if event.get("response"):
                arrivals_s.append(arrived_s)
    except CliError as failure:
        return Stream(model=model.name, problem=str(failure))
    return Stream(
        model=model.name,
        arrivals_s=tuple(arrivals_s),
        decode_s=int(last.get("eval_duration") or 0) / 1e9,
        tokens_count=int(last.get("eval_count") or 0),
        problem="" if last.get("done") else "the stream ended before the answer did",
    )
