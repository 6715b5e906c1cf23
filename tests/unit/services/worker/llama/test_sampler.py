"""Samplers over a real model's logits: steered ones keep to what is allowed, whatever the options."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.gguf_files import real_model
from services.worker.engine.backend import Run
from services.worker.llama.model import LlamaBackend
from services.worker.llama.params import LlamaParams
from shared.options import Options

INTEGERS = st.sampled_from([-1, 0, 1, 5, 100_000])
FLOATS = st.sampled_from([0.0, 0.1, 0.9, 1.0, 1.5])
SCHEMA = json.dumps({"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]})
OPTIONS = st.builds(
    Options, temperature=FLOATS, top_k=INTEGERS, top_p=FLOATS, min_p=FLOATS, typical_p=FLOATS,
    repeat_last_n=INTEGERS, repeat_penalty=st.sampled_from([1.0, 1.3]), presence_penalty=FLOATS,
)  # fmt: skip


@pytest.fixture(scope="module")
def backend() -> Iterator[LlamaBackend]:
    opened = LlamaBackend(
        LlamaParams(path=str(real_model()), n_ctx_seq=128, n_seq_max=1, n_batch=64, n_threads=1, n_gpu_layers=0)
    )
    tokens = opened.vocabulary.tokenize("Once upon a", add_special=True)
    opened.decode([Run(0, 0, tokens, True)])
    yield opened
    opened.close()


def row(backend: LlamaBackend) -> int:
    return len(backend.vocabulary.tokenize("Once upon a", add_special=True)) - 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(options=OPTIONS)
def test_a_constrained_sampler_draws_what_is_allowed_whatever_the_options(
    backend: LlamaBackend, options: Options
) -> None:
    constraint = backend.constraint(SCHEMA).result(30)
    allowed = set(constraint.allowed().tolist())
    sampler = backend.sampler(options, [], constraint=constraint)
    assert sampler.sample(row(backend)) in allowed
    sampler.close()


@pytest.mark.parametrize("options", [Options(temperature=0), Options(temperature=0, repeat_penalty=1.1), Options()])
def test_a_bias_of_a_hundred_decides_and_one_of_minus_a_hundred_forbids(
    backend: LlamaBackend, options: Options
) -> None:
    sampler = backend.sampler(options, [], logit_bias={1234: 100.0})
    assert sampler.sample(row(backend)) == 1234
    sampler.close()
    (likeliest,) = backend.vocabulary.tokenize(" time", add_special=False)
    plain = backend.sampler(Options(temperature=0), [])
    assert plain.sample(row(backend)) == likeliest
    sampler = backend.sampler(options, [], logit_bias={likeliest: -100.0})
    assert {sampler.sample(row(backend)) for _ in range(20)}.isdisjoint({likeliest})
    sampler.close()


def test_a_constrained_draw_leaves_the_logits_as_they_were(backend: LlamaBackend) -> None:
    before = backend.logprob(row(backend), 5, top_count=3)
    sampler = backend.sampler(Options(), [], logit_bias={5: 50.0}, constraint=backend.constraint(SCHEMA).result(30))
    sampler.sample(row(backend))
    sampler.close()
    assert backend.logprob(row(backend), 5, top_count=3) == before


def test_the_same_seed_draws_the_same_under_the_same_constraint(backend: LlamaBackend) -> None:
    drawn = set()
    for _ in range(3):
        constraint = backend.constraint('{"type":"string"}').result(30)
        sampler = backend.sampler(Options(seed=7, temperature=1.5), [], constraint=constraint)
        drawn.add(tuple(sampler.sample(row(backend)) for _ in range(8)))
        sampler.close()
    assert len(drawn) == 1
