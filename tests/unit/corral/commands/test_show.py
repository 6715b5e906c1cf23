"""The sections of `corral show`."""

import pytest

from corral.commands.show import excerpt, metadata_text, projector_rows, render

REPLY = {
    "details": {"parameter_size": "134.52M", "quantization_level": "Q4_1", "family": "llama"},
    "model_info": {
        "general.architecture": "llama",
        "llama.context_length": 2048,
        "llama.embedding_length": 576,
    },
    "capabilities": ["completion"],
    "parameters": 'stop                           "<|im_end|>"\ntemperature                    0.2',
    "license": "Apache License\n\nVersion 2.0\nmore",
}


def test_each_section_with_content_is_shown_and_followed_by_an_empty_line() -> None:
    lines = [line.rstrip() for line in render(REPLY).splitlines()]
    assert lines == [
        "  Model",
        "    architecture        llama",
        "    parameters          134.52M",
        "    context length      2048",
        "    embedding length    576",
        "    quantization        Q4_1",
        "",
        "  Capabilities",
        "    completion",
        "",
        "  Parameters",
        '    stop           "<|im_end|>"',
        "    temperature    0.2",
        "",
        "  License",
        "    Apache License",
        "    Version 2.0",
        "    ...",
        "",
    ]


def test_short_texts_have_no_ellipsis() -> None:
    assert excerpt("one\n\ntwo\n") == [("one",), ("two",)]
    assert excerpt("") == []


def test_everything_is_shown_when_asked_for() -> None:
    tensors = [{"name": "token_embd.weight", "type": "Q4_1", "shape": [576, 49152]}]
    lines = [line.strip() for line in render({**REPLY, "tensors": tensors}, verbose=True).splitlines()]
    metadata = lines[lines.index("Metadata") + 1 : lines.index("Tensors") - 1]
    assert metadata == [
        "general.architecture      llama",
        "llama.context_length      2048",
        "llama.embedding_length    576",
    ]
    assert lines[lines.index("Tensors") + 1] == "token_embd.weight    Q4_1    [576 49152]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (2048, "2048"),
        (1e-05, "1e-05"),
        (10000.0, "10000"),
        ("llama", "llama"),
        (None, "-"),
        ([], "[]"),
        (["a", 1, 2.5], "[a 1 2.5]"),
        (list(range(49_152)), "[0 1 2 ...+49149 more]"),
    ],
)
def test_metadata_is_told_in_a_few_words(value: object, text: str) -> None:
    assert metadata_text(value) == text


def test_a_projector_tells_what_it_is() -> None:
    info = {"general.architecture": "clip", "general.parameter_count": 311_890_000}
    info |= {"clip.vision.embedding_length": 1024, "clip.vision.projection_dim": 768, "clip.has_vision_encoder": True}
    assert projector_rows(info) == [
        ("architecture", "clip"),
        ("parameters", "311.89M"),
        ("embedding length", "1024"),
        ("dimensions", "768"),
    ]
    assert projector_rows({}) == []
