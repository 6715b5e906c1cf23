"""Several generations for one request."""

import msgspec
import pytest

from services.gateway.choices import BODIES_MAX, check_count, check_size, spread
from shared.digest import Digest
from shared.errors import ParameterInvalid
from shared.generation import GenerationRequest, LoadOnly, RawPrompt, RequestId
from shared.options import Options


def request_with(seed: int) -> GenerationRequest:
    return GenerationRequest(
        request_id=RequestId("r"),
        gateway_id="g",
        model="m",
        weights=Digest("sha256:" + "a" * 64),
        prompt=LoadOnly(),
        options=Options(seed=seed),
        tenant="t",
        user="u",
        deadline_unix_ms=1,
    )


def test_every_choice_is_a_job_of_its_own_beside_those_of_its_prompt() -> None:
    prompts = [RawPrompt(text="a"), RawPrompt(text="b")]
    jobs = spread(request_with(7), prompts, choices_per_prompt=2)
    assert [(job.request_id, job.prompt, job.options.seed) for job in jobs] == [
        ("r", prompts[0], 7),
        ("r-1", prompts[0], 8),
        ("r-2", prompts[1], 7),
        ("r-3", prompts[1], 8),
    ]


def test_without_a_seed_each_choice_draws_its_own() -> None:
    jobs = spread(request_with(-1), [LoadOnly()], choices_per_prompt=3)
    assert [job.options.seed for job in jobs] == [-1, -1, -1]


def test_as_many_answers_as_the_limit_says_are_given_and_not_one_more() -> None:
    check_count(2, 4, choices_max=8)
    with pytest.raises(ParameterInvalid, match="asks for 9 answers; at most 8"):
        check_count(3, 3, choices_max=8)


def test_no_answer_at_all_cannot_be_asked_for() -> None:
    with pytest.raises(ParameterInvalid, match="n must be at least 1"):
        check_count(1, 0, choices_max=8)


def test_every_answer_counts_with_its_own_copy_of_the_prompt() -> None:
    prompts = [RawPrompt(text="a" * 100), RawPrompt(text="b" * 50)]
    size_bytes = sum(len(msgspec.msgpack.encode(prompt)) for prompt in prompts)
    check_size(prompts, BODIES_MAX, body_bytes_max=size_bytes)
    with pytest.raises(ParameterInvalid, match="ask for fewer answers at once"):
        check_size(prompts, BODIES_MAX + 1, body_bytes_max=size_bytes)
