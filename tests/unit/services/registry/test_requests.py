"""Bodies of the model routes are understood as Ollama understands them, and refused in its words."""

import pytest

from services.registry.requests import parse_copy, parse_delete, parse_show
from shared.errors import CorralError, ParameterInvalid


def test_show_needs_a_model() -> None:
    request = parse_show(b'{"name":"m:local","verbose":true,"system":"s","options":{"seed":1}}')
    assert (request.name.short, request.verbose, request.changes.system) == ("m:latest", True, "s")
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
