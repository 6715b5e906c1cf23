"""Who may be asked for vectors, and what that costs in the fair queue."""

import pytest

from fakes.model_entries import model_entry
from services.gateway.capabilities import embedding_refusal
from services.gateway.prompts import prompt_tokens_estimate
from shared.generation import EmbedPrompt


@pytest.mark.parametrize(
    ("capabilities", "is_refused"),
    [(("embedding",), False), (("completion",), True), (("completion", "embedding"), True), ((), True)],
)
def test_only_a_model_that_writes_no_text_embeds(capabilities: tuple[str, ...], is_refused: bool) -> None:
    refused = embedding_refusal(model_entry("m", capabilities=capabilities), requested="M")
    assert (refused is not None) is is_refused
    assert refused is None or refused.message == '"M" does not support embeddings'


def test_the_cost_of_an_embedding_is_that_of_all_its_inputs() -> None:
    assert prompt_tokens_estimate(EmbedPrompt(inputs=("x" * 40, (1, 2, 3)))) == 13
