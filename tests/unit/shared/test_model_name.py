"""Names users type."""

import pytest

from shared.errors import ModelNameInvalid
from shared.model_name import ModelName, parse_model_name


@pytest.mark.parametrize(
    ("text", "full", "short"),
    [
        ("llama3.2", "registry.ollama.ai/library/llama3.2:latest", "llama3.2:latest"),
        ("llama3.2:1b", "registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b"),
        ("team/bot", "registry.ollama.ai/team/bot:latest", "team/bot:latest"),
        ("host:5000/team/bot:v1", "host:5000/team/bot:v1", "host:5000/team/bot:v1"),
        ("hf.co/user/repo:Q4_K_M", "hf.co/user/repo:Q4_K_M", "hf.co/user/repo:Q4_K_M"),
        ("https://example.com/a/b", "example.com/a/b:latest", "example.com/a/b:latest"),
    ],
)
def test_a_name_is_completed_and_shortened(text: str, full: str, short: str) -> None:
    name = parse_model_name(text)
    assert (name.full, name.short) == (full, short)


@pytest.mark.parametrize(
    "text",
    [
        "", "../x", "a/../b", "a//b", "m:", ":tag", "/m", "host:5000/model", "a/b/c/d", "m@sha256:0", "naïve",
        "a b", ".hidden", "-x", "x" * 81, "m:" + "t" * 81, "n.s/m", "m\n", "m:t\x00",
    ],
)  # fmt: skip
def test_what_could_leave_the_store_or_confuse_it_is_no_name(text: str) -> None:
    with pytest.raises(ModelNameInvalid, match=r"^invalid model name$"):
        parse_model_name(text)


def test_the_limit_of_a_part_is_eighty_characters() -> None:
    assert parse_model_name("x" * 80).model == "x" * 80


def test_names_are_equal_under_folding() -> None:
    assert parse_model_name("LLaMA:Latest").folded == parse_model_name("llama").folded


def test_an_invalid_name_can_be_reported_in_other_words() -> None:
    with pytest.raises(ModelNameInvalid, match=r'^name "a//b" is invalid$'):
        parse_model_name("a//b", error='name "a//b" is invalid')


def test_names_are_ordered() -> None:
    assert min(parse_model_name("b"), parse_model_name("a")) == ModelName(
        "registry.ollama.ai", "library", "a", "latest"
    )
