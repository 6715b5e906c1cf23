"""Whatever the schema: output that came to its end within the constraint satisfies it."""

import json
from collections.abc import Iterator

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.constrained_text import random_output
from fakes.llama_models import write_llama
from services.worker.llama.model import LlamaBackend
from services.worker.llama.params import LlamaParams

NAMES = st.text(alphabet='abcxyz _-é"\\', min_size=1, max_size=6)
SCALARS = st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5)
FORMATS = st.sampled_from(["date", "ipv4", "uuid", "email"])


def between(low: str, high: str, most: int) -> st.SearchStrategy[dict[str, object]]:
    """None, one or both of two limits, the lower not above the upper."""
    return st.tuples(st.none() | st.integers(0, most), st.none() | st.integers(0, most)).map(
        lambda limits: _limits(low, high, *limits)
    )


def _limits(low: str, high: str, least: int | None, most: int | None) -> dict[str, object]:
    if least is not None and most is not None:
        least, most = min(least, most), max(least, most)
    return {name: limit for name, limit in ((low, least), (high, most)) if limit is not None}


LEAVES = st.one_of(
    st.just({"type": "null"}),
    st.just({"type": "boolean"}),
    between("minimum", "maximum", 500).map(lambda limits: {"type": "integer", **limits}),
    between("minimum", "maximum", 500).map(lambda limits: {"type": "number", **limits}),
    st.integers(2, 9).map(lambda step: {"type": "integer", "multipleOf": step}),
    between("minLength", "maxLength", 8).map(lambda limits: {"type": "string", **limits}),
    FORMATS.map(lambda name: {"type": "string", "format": name}),
    st.sampled_from(["^[a-c]{2,4}$", "^x[a-z]*$", "^[0-9]+"]).map(lambda text: {"type": "string", "pattern": text}),
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    SCALARS.map(lambda value: {"const": value}),
    st.just({"$ref": "#/$defs/shared"}),
)


def _objects(values: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[dict[str, object]]:
    return st.tuples(
        st.dictionaries(NAMES, values, max_size=4), st.sets(st.integers(0, 3)), st.booleans() | values
    ).map(
        lambda parts: {
            "type": "object",
            "properties": parts[0],
            "required": [name for index, name in enumerate(parts[0]) if index in parts[1]],
            "additionalProperties": parts[2],
        }
    )


def _arrays(values: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[dict[str, object]]:
    return st.tuples(values, between("minItems", "maxItems", 3)).map(
        lambda parts: {"type": "array", "items": parts[0], **parts[1]}
    )


def _choices(values: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[dict[str, object]]:
    return st.lists(values, min_size=1, max_size=3).map(lambda options: {"anyOf": options})


BODIES = st.recursive(LEAVES, lambda values: _objects(values) | _arrays(values) | _choices(values), max_leaves=8)
SHARED = LEAVES.filter(lambda schema: "$ref" not in schema)
SCHEMAS = st.tuples(BODIES, SHARED).map(lambda parts: {**parts[0], "$defs": {"shared": parts[1]}})


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaBackend]:
    path = write_llama(tmp_path_factory.mktemp("model") / "model.gguf")
    opened = LlamaBackend(
        LlamaParams(path=str(path), n_ctx_seq=64, n_seq_max=1, n_batch=64, n_threads=1, n_gpu_layers=0)
    )
    yield opened
    opened.close()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=SCHEMAS, seed=st.integers(0, 1_000_000))
def test_every_completed_output_satisfies_its_schema(
    backend: LlamaBackend, schema: dict[str, object], seed: int
) -> None:
    text = random_output(backend.constraint(json.dumps(schema)).result(30), backend.vocabulary, seed)
    assert text is not None, "the output never ended"
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    checker.validate(json.loads(text))
