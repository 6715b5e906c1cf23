"""What a Modelfile begins with is read as the server reads it."""

import pytest

from corral.apply.carrying import parse_base

PIN = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "folded", "pin"),
    [
        ("qwen", "registry.ollama.ai/library/qwen:latest", ""),
        ("qwen:local", "registry.ollama.ai/library/qwen:latest", ""),
        ("qwen:0.5b:local", "registry.ollama.ai/library/qwen:0.5b", ""),
        (f"qwen:local@{PIN}", "registry.ollama.ai/library/qwen:latest", PIN),
        ("http://host:5000/ns/m", "host:5000/ns/m:latest", ""),
        (f"https://host:5000/ns/m:1@{PIN}", "host:5000/ns/m:1", PIN),
    ],
)
def test_a_base_has_a_name_and_perhaps_a_pin(text: str, folded: str, pin: str) -> None:
    base = parse_base(text)
    assert (base.name.folded, base.pin) == (folded, pin)
