"""Model names: read, completed, shown."""

import pytest

from corral.errors import CliError
from corral.model_names import parse_model_name


@pytest.mark.parametrize(
    ("text", "short", "repository"),
    [
        ("bot", "bot:latest", "library/bot"),
        ("bot:1.2", "bot:1.2", "library/bot"),
        ("team/bot", "team/bot:latest", "team/bot"),
        ("library/bot", "bot:latest", "library/bot"),
        ("registry.ollama.ai/library/bot:x", "bot:x", "library/bot"),
        ("llm.internal:5000/team/bot", "llm.internal:5000/team/bot:latest", "llm.internal:5000/team/bot"),
        ("library/library/bot", "library/library/bot:latest", "library/library/bot"),
    ],
)
def test_defaults_are_filled_in_and_left_out_again(text: str, short: str, repository: str) -> None:
    name = parse_model_name(text)
    assert (name.short, name.repository) == (short, repository)


def test_names_are_equal_but_for_letter_case() -> None:
    assert parse_model_name("Team/Bot:X").folded == parse_model_name("team/bot:x").folded


@pytest.mark.parametrize(
    "text", ["", "a:", ":a", "a//b", "../a", "a/b/c/d", "host:5000/bot", "a.b/c", "bot@1", "bót", "x" * 81, "-a"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(CliError, match="is not a model name"):
        parse_model_name(text)
