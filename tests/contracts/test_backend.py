"""What the engine relies on, asked of the fake backend and of llama.cpp with a real model alike."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.backend import FakeBackend
from fakes.engine_runs import new_engine, new_sequence, run_one, run_until_idle
from fakes.gguf_files import real_model
from services.worker.engine.backend import Backend, Run
from services.worker.llama.model import LlamaBackend
from services.worker.llama.params import LlamaParams
from shared.options import Options

CONTEXT_TOKENS = 512
SLOTS_COUNT = 4
BATCH_TOKENS_MAX = 256
GREEDY = Options(temperature=0)
QUESTION = "<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n"
OTHER = "<|im_start|>user\nName three rivers in Africa.<|im_end|>\n<|im_start|>assistant\n"


def llama_params(**changes: int) -> LlamaParams:
    sizes = {"n_ctx_seq": CONTEXT_TOKENS, "n_seq_max": SLOTS_COUNT, "n_batch": BATCH_TOKENS_MAX, **changes}
    return LlamaParams(
        path=str(real_model()),
        n_ctx_seq=sizes["n_ctx_seq"],
        n_seq_max=sizes["n_seq_max"],
        n_batch=sizes["n_batch"],
        n_threads=1,  # more would wait for each other on a busy machine
        n_gpu_layers=0,
    )


@pytest.fixture(scope="module")
def llama() -> Iterator[LlamaBackend]:
    backend = LlamaBackend(llama_params())
    yield backend
    backend.close()


@pytest.fixture(params=["fake", "llama"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """A backend whose slots are empty."""
    if request.param == "fake":
        return FakeBackend(
            slots_count=SLOTS_COUNT, context_tokens=CONTEXT_TOKENS, batch_tokens_max=BATCH_TOKENS_MAX
        )  # fmt: skip
    llama: Backend = request.getfixturevalue("llama")
    for slot in range(llama.slots_count):
        assert llama.truncate(slot, 0)
    return llama


def tokens_of(backend: Backend, text: str) -> list[int]:
    return backend.vocabulary.tokenize(text, add_special=True)


def read(backend: Backend, slot: int, tokens: Sequence[int], *, position: int = 0) -> int:
    """Put prompt tokens into a slot; gives the batch position whose logits follow them."""
    backend.decode([Run(slot, position, tokens, True)])
    return len(tokens) - 1


def go_on(
    backend: Backend, slot: int, held: Sequence[int], row: int, options: Options = GREEDY, *, count: int = 12
) -> list[int]:
    """The next `count` tokens of a slot that holds `held` and whose logits are at `row`."""
    sampler = backend.sampler(options, held)
    position, drawn = len(held), [sampler.sample(row)]
    while len(drawn) < count:
        backend.decode([Run(slot, position, drawn[-1:], True)])
        position += 1
        drawn.append(sampler.sample(0))
    sampler.close()
    return drawn


def reply(
    backend: Backend, text: str, options: Options = GREEDY, *, slot: int = 0, count: int = 12
) -> list[int]:  # fmt: skip
    """What the model says to `text` in an empty slot."""
    assert backend.truncate(slot, 0)
    tokens = tokens_of(backend, text)
    return go_on(backend, slot, tokens, read(backend, slot, tokens), options, count=count)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text("abc XYZ 019 .,;\n\té漢🐎<|>", max_size=60))
def test_tokens_of_a_text_stand_for_exactly_that_text(backend: Backend, text: str) -> None:
    tokens = backend.vocabulary.tokenize(text, add_special=False)
    assert b"".join(map(backend.vocabulary.piece, tokens)).decode() == text
    assert all(0 <= token < backend.vocabulary.tokens_count for token in tokens)


def test_special_tokens_only_ever_come_in_front(backend: Backend) -> None:
    bare = backend.vocabulary.tokenize("hello", add_special=False)
    whole = backend.vocabulary.tokenize("hello", add_special=True)
    assert whole[len(whole) - len(bare) :] == bare
    assert len(whole) - len(bare) in (0, 1)


def test_ordinary_tokens_do_not_end_a_generation(backend: Backend) -> None:
    tokens = backend.vocabulary.tokenize("hello world", add_special=False)
    assert not any(map(backend.vocabulary.ends_generation, tokens))


def test_every_slot_gives_the_same_reply(backend: Backend) -> None:
    assert reply(backend, QUESTION, slot=0) == reply(backend, QUESTION, slot=3)


def test_different_prompts_get_different_replies(backend: Backend) -> None:
    assert reply(backend, QUESTION) != reply(backend, OTHER)


def test_a_copied_slot_goes_on_as_its_source_would(backend: Backend) -> None:
    expected = reply(backend, QUESTION)
    tokens = tokens_of(backend, QUESTION)
    assert backend.truncate(0, 0)
    read(backend, 0, tokens[:-1])
    read(backend, 1, tokens_of(backend, OTHER))
    backend.copy(0, 1)
    assert go_on(backend, 1, tokens, read(backend, 1, tokens[-1:], position=len(tokens) - 1)) == expected


def test_a_copy_is_unharmed_by_what_becomes_of_its_source(backend: Backend) -> None:
    expected = reply(backend, QUESTION)
    tokens = tokens_of(backend, QUESTION)
    assert backend.truncate(0, 0)
    read(backend, 0, tokens[:-1])
    backend.copy(0, 2)
    assert backend.truncate(0, 0)
    read(backend, 0, tokens_of(backend, OTHER))
    assert go_on(backend, 2, tokens, read(backend, 2, tokens[-1:], position=len(tokens) - 1)) == expected


def test_copies_may_follow_each_other_without_a_decode_between(backend: Backend) -> None:
    expected = reply(backend, QUESTION)
    tokens = tokens_of(backend, QUESTION)
    assert backend.truncate(0, 0)
    read(backend, 0, tokens[:-1])
    backend.copy(0, 1)
    backend.copy(1, 2)
    assert backend.truncate(0, 0)
    assert go_on(backend, 2, tokens, read(backend, 2, tokens[-1:], position=len(tokens) - 1)) == expected


def test_truncating_and_reading_again_leaves_no_trace_of_what_was_there(backend: Backend) -> None:
    expected = reply(backend, QUESTION)
    tokens = tokens_of(backend, QUESTION)
    common = 4
    assert backend.truncate(0, 0)
    read(backend, 0, [*tokens[:common], *tokens_of(backend, OTHER)])
    assert backend.truncate(0, common)
    assert go_on(backend, 0, tokens, read(backend, 0, tokens[common:], position=common)) == expected


def shifted(backend: Backend, slot: int) -> list[int]:
    """Fill a slot and let eight tokens behind the first five go; gives what it then holds."""
    tokens = tokens_of(backend, f"{OTHER}{QUESTION}")
    assert backend.truncate(slot, 0)
    read(backend, slot, tokens[:-1])
    assert backend.shift(slot, 5, 8)
    return [*tokens[:5], *tokens[13:]]


def goes_on(backend: Backend, slot: int, held: Sequence[int]) -> list[int]:
    """The next tokens of a slot that holds all of `held` but the last."""
    sampler = backend.sampler(GREEDY, [])
    drawn: list[int] = []
    token, position = held[-1], len(held) - 1
    for _ in range(8):
        backend.decode([Run(slot, position, [token], True)])
        token, position = int(sampler.sample(0)), position + 1
        drawn.append(token)
    sampler.close()
    return drawn


def test_a_shifted_slot_goes_on_behind_what_is_left(llama: LlamaBackend) -> None:
    once = goes_on(llama, 0, shifted(llama, 0))
    assert once == goes_on(llama, 0, shifted(llama, 0))
    assert llama.vocabulary.tokens_count > max(once)


def test_a_copy_of_a_shifted_slot_goes_on_as_its_source_would(llama: LlamaBackend) -> None:
    expected = goes_on(llama, 0, shifted(llama, 0))
    held = shifted(llama, 1)
    llama.copy(1, 2)
    assert goes_on(llama, 2, held) == expected


def test_a_shift_leaves_what_it_keeps_as_it_was(backend: Backend) -> None:
    tokens = tokens_of(backend, f"{OTHER}{QUESTION}")
    expected = reply(backend, f"{OTHER}{QUESTION}")
    shifted(backend, 0)
    assert backend.truncate(0, 5)
    assert go_on(backend, 0, tokens, read(backend, 0, tokens[5:], position=5)) == expected


def test_a_shift_leaves_other_slots_alone(backend: Backend) -> None:
    expected = reply(backend, QUESTION, slot=1)
    tokens = tokens_of(backend, QUESTION)
    assert backend.truncate(1, 0)
    read(backend, 1, tokens[:-1])
    shifted(backend, 0)
    assert go_on(backend, 1, tokens, read(backend, 1, tokens[-1:], position=len(tokens) - 1)) == expected


def test_a_generation_that_shifts_goes_on_beyond_its_context(backend: Backend) -> None:
    engine = new_engine(backend, batch_tokens_max=BATCH_TOKENS_MAX)
    for slot in range(backend.slots_count):
        assert backend.truncate(slot, 0)
    options = Options(temperature=0, num_ctx=64, num_predict=150)
    outcome = run_one(engine, new_sequence(1, "1, 2, 3, 4, 5, 6,", options=options, shifts=True))
    assert outcome.finished is not None
    assert len(outcome.token_ids) == 150
    assert outcome.finished.shifted_tokens > 150 - 64
    if isinstance(backend, LlamaBackend):
        numbers = [int(number) for number in outcome.text.removesuffix(",").split(",")[:-1]]
        assert numbers == list(range(7, 7 + len(numbers))), "it lost its thread"


def test_reading_a_prompt_in_parts_changes_nothing(backend: Backend) -> None:
    expected = reply(backend, QUESTION)
    tokens = tokens_of(backend, QUESTION)
    assert backend.truncate(0, 0)
    for start in range(0, len(tokens), 5):
        row = read(backend, 0, tokens[start : start + 5], position=start)
    assert go_on(backend, 0, tokens, row) == expected


def test_slots_computed_together_do_not_influence_each_other(backend: Backend) -> None:
    texts = (QUESTION, OTHER)
    expected = [reply(backend, text, count=1) for text in texts]
    prompts = [tokens_of(backend, text) for text in texts]
    for slot in range(2):
        assert backend.truncate(slot, 0)
    backend.decode([Run(slot, 0, prompt, True) for slot, prompt in enumerate(prompts)])
    rows = (len(prompts[0]) - 1, len(prompts[0]) + len(prompts[1]) - 1)
    for slot in range(2):
        assert backend.sampler(GREEDY, prompts[slot]).sample(rows[slot]) == expected[slot][0]


def test_a_prompt_in_the_making_does_not_move_another_slots_logits(backend: Backend) -> None:
    expected = reply(backend, QUESTION, count=1)
    prompt, other = tokens_of(backend, QUESTION), tokens_of(backend, OTHER)
    for slot in range(2):
        assert backend.truncate(slot, 0)
    backend.decode([Run(0, 0, other[:-1], False), Run(1, 0, prompt, True)])
    assert [backend.sampler(GREEDY, prompt).sample(len(other) - 1 + len(prompt) - 1)] == expected


def test_the_same_seed_draws_the_same_reply(backend: Backend) -> None:
    drawing = Options(temperature=1.2, seed=7, top_k=0, top_p=1.0)
    assert reply(backend, QUESTION, drawing) == reply(backend, QUESTION, drawing)


def test_different_seeds_draw_different_replies(backend: Backend) -> None:
    replies = {
        tuple(reply(backend, QUESTION, Options(temperature=1.5, seed=seed, top_k=0, top_p=1.0))) for seed in range(4)
    }
    assert len(replies) > 1


def test_keeping_only_the_best_token_equals_greedy(backend: Backend) -> None:
    drawing = Options(temperature=1.0, seed=3, top_k=1)
    assert reply(backend, QUESTION, drawing) == reply(backend, QUESTION)


def test_a_penalty_on_repetition_changes_the_reply(backend: Backend) -> None:
    penalised = Options(temperature=0, repeat_penalty=8.0)
    assert reply(backend, QUESTION, penalised, count=40) != reply(backend, QUESTION, count=40)


def test_penalties_look_back_on_the_prompt(backend: Backend) -> None:
    penalised = Options(temperature=0, presence_penalty=1e6, repeat_last_n=-1)
    repeating = [
        text
        for text in ("one two one two one", "a b a b a", "x a x b x c x")
        if reply(backend, text, count=1)[0] in tokens_of(backend, text)
    ]
    assert repeating, "no text whose greedy reply repeats one of its tokens"
    for text in repeating:
        assert reply(backend, text, penalised, count=1)[0] not in tokens_of(backend, text)


FLOATS = st.one_of(st.floats(-2, 4), st.sampled_from([0.0, -1e30, 1e30, 1e-30, 1e300, float("inf")]))
INTEGERS = st.sampled_from([-(2**40), -(2**31), -1, 0, 1, 5, 40, 2**31 - 1, 2**31, 2**40])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    options=st.builds(
        Options, seed=INTEGERS, temperature=FLOATS, top_k=INTEGERS, top_p=FLOATS, min_p=FLOATS, typical_p=FLOATS,
        repeat_last_n=INTEGERS, repeat_penalty=FLOATS, presence_penalty=FLOATS, frequency_penalty=FLOATS,
    )
)  # fmt: skip
def test_no_clients_numbers_stop_llamas_sampling(llama: LlamaBackend, options: Options) -> None:
    tokens = tokens_of(llama, "hello")
    assert llama.truncate(0, 0)
    row = read(llama, 0, tokens)
    sampler = llama.sampler(options, tokens)
    assert 0 <= sampler.sample(row) < llama.vocabulary.tokens_count
    sampler.close()


PROMPTS = (
    QUESTION,
    OTHER,
    *(
        f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        for question in (
            "Tell me about the sea.",
            "Write a poem about rain.",
            "List five animals.",
            "Explain gravity to a child.",
            "How do I bake bread? " * 12,
            "Tell me about the sea and its islands.",
        )
    ),
)


def test_eight_replies_given_together_equal_the_same_given_one_by_one(backend: Backend) -> None:
    options = Options(temperature=0, num_predict=24, reproducible=True)
    alone = []
    for number, prompt in enumerate(PROMPTS):
        engine = new_engine(backend, batch_tokens_max=BATCH_TOKENS_MAX)
        for slot in range(backend.slots_count):
            assert backend.truncate(slot, 0)
        alone.append(run_one(engine, new_sequence(number, prompt, options=options)).token_ids)
    engine = new_engine(backend, batch_tokens_max=BATCH_TOKENS_MAX)
    for slot in range(backend.slots_count):
        assert backend.truncate(slot, 0)
    for number, prompt in enumerate(PROMPTS):
        engine.submit(new_sequence(number, prompt, options=options))
    together = run_until_idle(engine)
    assert [together[number].token_ids for number in range(len(PROMPTS))] == alone


def test_growing_gives_every_slot_more_room_and_the_same_replies() -> None:
    llama = LlamaBackend(llama_params(n_ctx_seq=256, n_seq_max=2))
    small: tuple[Backend, ...] = (FakeBackend(slots_count=2, context_tokens=256, batch_tokens_max=256), llama)
    for backend in small:
        expected = reply(backend, QUESTION)
        backend.grow(600)
        assert backend.context_tokens == 600
        assert reply(backend, QUESTION) == expected
        tokens = tokens_of(backend, "sea " * 400)[:400]
        assert backend.truncate(1, 0)
        for start in range(0, len(tokens), BATCH_TOKENS_MAX):
            read(backend, 1, tokens[start : start + BATCH_TOKENS_MAX], position=start)
    llama.close()
