"""The body of `/api/create` is understood as Ollama understands it, and refused in its words."""

import json

import pytest

from services.registry.building.info import Info
from services.registry.building.pins import BaseReference
from services.registry.building.request import FILES_MAX, parse_create
from shared.errors import CorralError, Kind
from shared.generation import Message
from shared.model_name import parse_model_name

DIGEST = "sha256:" + "a" * 64


def refusal(**fields: object) -> CorralError:
    with pytest.raises(CorralError) as caught:
        parse_create(json.dumps(fields).encode())
    return caught.value


def test_a_full_request() -> None:
    request = parse_create(
        json.dumps(
            {
                "model": "bot", "files": {"m.gguf": "sha256-" + "A" * 64}, "adapters": {"a.gguf": DIGEST},
                "draft_files": {"d.gguf": DIGEST}, "template": "{{ .Prompt }}", "system": "s",
                "license": ["MIT", "BSD"], "parameters": {"stop": ["x"], "seed": 2.0}, "stream": False, "unknown": 1,
                "messages": [{"role": "User", "content": "hi"}], "quantize": "q4_k", "draft_quantize": "Q8_0",
                "renderer": "r", "parser": "p", "requires": "v0.14.0", "info": {"model_family": "f"},
            }
        ).encode()
    )  # fmt: skip
    assert (request.name, request.base) == (parse_model_name("bot"), None)
    assert (request.files, request.adapters, request.draft_files) == (
        {"m.gguf": DIGEST}, {"a.gguf": DIGEST}, {"d.gguf": DIGEST},
    )  # fmt: skip
    assert (request.quantize, request.draft_quantize) == ("Q4_K_M", "Q8_0")
    assert not request.stream
    assert (request.template, request.system, request.licenses) == ("{{ .Prompt }}", "s", ("MIT", "BSD"))
    assert request.parameters == {"stop": ("x",), "seed": 2}
    assert request.messages == (Message("user", "hi"),)
    assert (request.renderer, request.parser, request.requires) == ("r", "p", "0.14.0")
    assert request.info == Info(fields={"model_family": "f"})


def test_nulls_and_empty_values_are_unset_and_name_stands_for_model() -> None:
    body: dict[str, object] = {
        "model": "", "name": "bot", "from": "base", "license": "", "system": None, "messages": None, "info": {},
        "files": {}, "adapters": {}, "draft_files": None, "stream": None, "quantize": "", "remote_host": "",
        "quantization": None, "template": "", "renderer": "", "requires": "", "parameters": None,
    }  # fmt: skip
    request = parse_create(json.dumps(body).encode())
    assert (request.name.model, request.stream, request.licenses) == ("bot", True, ())
    assert request.base == BaseReference(name=parse_model_name("base"))


def test_a_part_may_have_so_many_files_and_no_more() -> None:
    files = {f"{number}.gguf": DIGEST for number in range(FILES_MAX)}
    assert len(parse_create(json.dumps({"model": "m", "files": files}).encode()).files) == FILES_MAX
    error = refusal(model="m", files={**files, "more.gguf": DIGEST})
    assert error.message == f"{FILES_MAX + 1} files are more than the {FILES_MAX} allowed"


def test_a_single_license_is_one_license() -> None:
    assert parse_create(b'{"model":"m","from":"b","license":"MIT"}').licenses == ("MIT",)


def test_the_old_name_of_quantize_is_understood() -> None:
    assert parse_create(b'{"model":"m","from":"b","quantization":"f16"}').quantize == "F16"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": "m"}, "neither 'from' or 'files' was specified"),
        ({"model": "m", "modelfile": "FROM x", "path": "y"}, "neither 'from' or 'files' was specified"),
        ({"model": "m", "files": {}}, "no files provided to convert"),
        ({"from": "b"}, "invalid model name"),
        ({"model": "../x", "from": "b"}, "invalid model name"),
        ({"model": "m", "from": "a//b"}, "invalid model name"),
        ({"model": "m", "from": "b@sha256:1"}, "invalid digest format"),
        ({"model": "m", "files": {"/etc/passwd": DIGEST}}, "file path must be relative"),
        ({"model": "m", "files": {"../x": DIGEST}}, "file path must be relative"),
        ({"model": "m", "files": {".": DIGEST}}, "file path must be relative"),
        ({"model": "m", "from": "b", "adapters": {"a/../b": DIGEST}}, "file path must be relative"),
        ({"model": "m", "files": {"x.gguf": ""}}, "invalid digest format"),
        ({"model": "m", "files": {"x.gguf": "sha256:../../x"}}, "invalid digest format"),
        ({"model": "m", "from": "b", "draft_quantize": "Q8_0"}, "--draft-quantize requires a DRAFT model"),
        ({"model": "m", "from": "b", "requires": "new"}, "requires must be a valid semver (e.g. 0.14.0)"),
        ({"model": "m", "from": "b", "info": {"base_name": 1}}, 'info field "base_name" must be a string'),
        (
            {"model": "m", "from": "b", "remote_host": "ollama.com"},
            "this server cannot run remote models, so none can be created",
        ),
        (
            {"model": "m", "files": {"a": 1}},
            "json: cannot unmarshal number into Go struct field CreateRequest.files of type string",
        ),
        (
            {"model": "m", "from": "b", "messages": [{"content": 1}]},
            "json: cannot unmarshal number into Go struct field Alias.content of type string",
        ),
    ],
)
def test_a_request_that_cannot_be_done_says_why(fields: dict[str, object], text: str) -> None:
    error = refusal(**fields)
    assert (error.message, error.kind) == (text, Kind.INVALID)


def test_a_broken_template_is_refused_with_gos_reason() -> None:
    error = refusal(model="m", **{"from": "b"}, template="{{ if }}x{{ end }}")
    assert error.message.startswith("template error: template: ")
    assert error.kind is Kind.INVALID


def test_an_unknown_quantization_is_ollamas_500() -> None:
    error = refusal(model="m", **{"from": "b"}, quantize="q3_k_m")
    assert error.message == (
        "unsupported quantization type Q3_K_M - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0"
    )
    assert error.kind is Kind.INTERNAL


def test_a_parameter_of_the_wrong_type_is_ollamas_500() -> None:
    error = refusal(model="m", **{"from": "b"}, parameters={"temperature": "hot"})
    assert (error.message, error.kind) == ('option "temperature" must be of type float32', Kind.INTERNAL)
