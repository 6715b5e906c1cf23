"""What the fair queue charges in advance."""

from msgspec import structs

from fakes.model_entries import WEIGHTS
from services.gateway.generation_requests import COUNT_COST, OUTPUT_TOKENS_ESTIMATE, cost_of
from shared.generation import GenerationRequest, RawPrompt, RequestId
from shared.generation_queue import token_cost
from shared.options import Options

REQUEST = GenerationRequest(
    request_id=RequestId("r"),
    gateway_id="g",
    model="m",
    weights=WEIGHTS,
    prompt=RawPrompt(text="word" * 100),
    options=Options(),
    tenant="t",
    user="u",
    deadline_unix_ms=1,
)


def test_a_generation_costs_its_prompt_and_the_most_that_may_come_out() -> None:
    assert cost_of(REQUEST) == token_cost(100 + OUTPUT_TOKENS_ESTIMATE, REQUEST.weight)
    assert cost_of(structs.replace(REQUEST, options=Options(num_predict=7))) == token_cost(107, REQUEST.weight)


def test_counting_costs_next_to_nothing_however_long_the_prompt() -> None:
    assert cost_of(structs.replace(REQUEST, count_only=True)) == COUNT_COST
