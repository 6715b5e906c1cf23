"""The sections of `corral show`."""

from corral.commands.show import excerpt, render

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
