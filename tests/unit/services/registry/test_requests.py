"""Bodies of the model routes are understood as Ollama understands them, and refused in its words."""

import json

import pytest

from services.registry.requests import parse_copy, parse_create, parse_delete, parse_show
from shared.errors import CorralError, ParameterInvalid
from shared.generation import Message
from shared.model_name import parse_model_name

DIGEST = "sha256:" + "a" * 64


def create_error(**fields: object) -> str:
    with pytest.raises(CorralError) as caught:
        parse_create(json.dumps(fields).encode())
    return caught.value.message


def test_a_full_create_request() -> None:
    request = parse_create(
        json.dumps(
            {
                "model": "bot", "files": {"m.gguf": "sha256-" + "A" * 64}, "template": "{{ .Prompt }}", "system": "s",
                "license": ["MIT", "BSD"], "parameters": {"stop": ["x"]}, "stream": False, "unknown": 1,
                "messages": [{"role": "User", "content": "hi"}],
            }
        ).encode()
    )  # fmt: skip
    assert request.name == parse_model_name("bot")
    assert request.file == ("m.gguf", DIGEST)
    assert request.base is None
    assert not request.stream
    assert request.licenses == ("MIT", "BSD")
    assert request.messages == (Message("user", "hi"),)


def test_nulls_and_empty_values_are_unset_and_name_stands_for_model() -> None:
    body: dict[str, object] = {
        "model": "",
        "name": "bot",
        "from": "base",
        "license": "",
        "system": None,
        "messages": None,
        "info": {},
    }
    request = parse_create(json.dumps({**body, "stream": None, "quantize": ""}).encode())
    assert (request.name.model, request.stream, request.licenses) == ("bot", True, ())
    assert request.base == parse_model_name("base")


def test_a_single_license_is_one_license() -> None:
    request = parse_create(b'{"model":"m","from":"b","license":"MIT"}')
    assert request.licenses == ("MIT",)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"model": "m"}, "neither 'from' or 'files' was specified"),
        ({"model": "m", "modelfile": "FROM x"}, "neither 'from' or 'files' was specified"),
        ({"model": "m", "files": {}}, "no files provided to convert"),
        ({"from": "b"}, "invalid model name"),
        ({"model": "../x", "from": "b"}, "invalid model name"),
        ({"model": "m", "from": "a//b"}, "invalid model name"),
        ({"model": "m", "files": {"/etc/passwd": DIGEST}}, "file path must be relative"),
        ({"model": "m", "files": {"../x": DIGEST}}, "file path must be relative"),
        ({"model": "m", "files": {".": DIGEST}}, "file path must be relative"),
        ({"model": "m", "files": {"x.gguf": ""}}, "invalid digest format"),
        ({"model": "m", "files": {"x.gguf": "sha256:../../x"}}, "invalid digest format"),
        ({"model": "m", "files": {"x.safetensors": DIGEST}}, "creating a model from safetensors is not supported yet"),
        (
            {"model": "m", "files": {"x": DIGEST, "y": DIGEST}},
            "creating a model from several files is not supported yet",
        ),
        ({"model": "m", "from": "b", "adapters": {"a": DIGEST}}, "adapters is not supported yet"),
        ({"model": "m", "from": "b", "quantize": "q4_0"}, "quantize is not supported yet"),
        ({"model": "m", "from": "b", "renderer": "gemma4"}, "renderer is not supported yet"),
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
def test_a_create_request_that_cannot_be_done_says_why(fields: dict[str, object], text: str) -> None:
    assert create_error(**fields) == text


def test_show_needs_a_model() -> None:
    request = parse_show(b'{"name":"m","verbose":true,"system":"s","options":{"seed":1}}')
    assert (request.name.model, request.verbose, request.changes.system) == ("m", True, "s")
    with pytest.raises(ParameterInvalid) as caught:
        parse_show(b"{}")
    assert caught.value.message == "model is required"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"source":"..","destination":"b"}', 'source ".." is invalid'),
        (b'{"source":"a"}', 'destination "" is invalid'),
        (b"", "missing request body"),
    ],
)
def test_copy_names_the_side_that_is_invalid(body: bytes, text: str) -> None:
    with pytest.raises(CorralError) as caught:
        parse_copy(body)
    assert caught.value.message == text


def test_delete_repeats_the_name_it_cannot_use() -> None:
    assert parse_delete(b'{"model":"M"}').name_text == "M"
    with pytest.raises(CorralError) as caught:
        parse_delete(b'{"model":"a b"}')
    assert caught.value.message == 'name "a b" is invalid'
