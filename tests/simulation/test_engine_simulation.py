"""Seeded days in the life of an engine: arrivals, cancels, failures, growth; nothing leaks and no answer changes.

A failing seed is printed with its step; add it to `SEEDS_OF_PAST_FAILURES` once it is understood.
"""

import random
from collections import Counter

import pytest

from fakes.backend import FakeBackend, hashing_model
from fakes.engine_runs import Outcome, check_invariants, new_engine, new_sequence
from fakes.reply_alone import kept_alone, reply_alone
from services.worker.engine.backend import DecodeFailed, KvCacheFull
from services.worker.engine.sequence import NewSequence, PromptCut
from shared.options import Options

SEEDS = range(25)
SEEDS_OF_PAST_FAILURES: tuple[int, ...] = ()
STEPS = 250
CONTEXT_TOKENS = 96
CONTEXT_TOKENS_MAX = 160
BEGINNINGS = ("", "You are a helpful assistant of this company, ", "You are a helpful and very careful assistant, ")


class Simulation:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        batch_tokens_max = self.random.choice([3, 16, 64])
        self.backend = FakeBackend(
            slots_count=self.random.randint(1, 5),
            context_tokens=CONTEXT_TOKENS,
            batch_tokens_max=batch_tokens_max,
            scores=hashing_model(ending_one_in=self.random.choice([0, 20])),
            pieces=(b"assistant", b"you", b"ab", b"abc"),
            can_roll_back=self.random.random() < 0.8,
            can_shift=self.random.random() < 0.8,
        )
        self.engine = new_engine(
            self.backend,
            batch_tokens_max=batch_tokens_max,
            context_tokens_max=CONTEXT_TOKENS_MAX,
            prefill_tokens=self.random.choice([3, 8]),
            prompts_apart=self.random.choice([True, False]),
        )
        self.submitted: dict[int, NewSequence] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.cancelled: set[int] = set()
        self.failures_count = 0
        self.steps_count = 0

    def turn(self) -> None:
        """Whatever may happen between two steps, then the step and its checks."""
        if self.random.random() < 0.3:
            self.arrive()
        if self.random.random() < 0.05:
            self.leave()
        if self.random.random() < 0.01:
            self.backend.failures = [self.random.choice([DecodeFailed("broken"), KvCacheFull("full")])]
        self.step()

    def arrive(self) -> None:
        number = len(self.submitted)
        beginning = self.random.choice(BEGINNINGS)
        prompt = beginning + "".join(self.random.choices("abc ", k=self.random.randint(0, 60)))
        own_context = self.random.random() < 0.1
        self.submitted[number] = new_sequence(
            number,
            prompt,
            tenant=self.random.choice(["ann", "bob"]),
            context=[self.random.randint(0, 255) for _ in range(5)] if own_context else (),
            shared_prefix=beginning,
            shifts=self.random.random() < 0.4,
            cuts_prompt=self.random.random() < 0.3,
            options=Options(
                temperature=self.random.choice([0.0, 1.0]),
                seed=number,
                num_predict=self.random.choice([-1, 1, 10, 40, 200]),
                num_keep=self.random.choice([-1, 0, 4, 20, 1000]),
                num_ctx=self.random.choice([0, 0, 0, 50, 130, 1000]),
                stop=self.random.choice([(), ("ab",), ("hg", " a b")]),
                reproducible=self.random.random() < 0.3,
            ),
        )
        self.outcomes[number] = Outcome()
        self.engine.submit(self.submitted[number])

    def leave(self) -> None:
        open_ones = [number for number, outcome in self.outcomes.items() if not outcome.ended]
        if open_ones:
            number = self.random.choice(open_ones)
            self.engine.cancel(number)
            self.cancelled.add(number)

    def step(self) -> None:
        self.steps_count += 1
        was_failing = bool(self.backend.failures)
        for event in self.engine.step():
            refused = isinstance(event, PromptCut) or self.engine_refused(event.sequence_id)
            assert refused or event.sequence_id not in self.cancelled, f"{event} after its cancel"
            self.outcomes[event.sequence_id].take(event)
        self.failures_count += was_failing and not self.backend.failures
        check_invariants(self.engine, self.backend)

    def engine_refused(self, number: int) -> bool:
        """Whether the sequence failed on arrival, which a cancel in the same turn cannot take back."""
        return number in self.cancelled and self.outcomes[number].text == "" and self.too_long(number)

    def too_long(self, number: int) -> bool:
        return not self.submitted[number].cuts_prompt and len(self.prompt(number)) >= self.tokens_max(number)

    def prompt(self, number: int) -> list[int]:
        """The prompt as it is computed: cut where it may and must be."""
        new, tokens_max = self.submitted[number], self.tokens_max(number)
        whole = [*new.context, *self.backend.vocabulary.tokenize(new.prompt, add_special=not new.context)]
        if not new.cuts_prompt or len(whole) < tokens_max:
            return whole
        kept = kept_alone(whole, new.options, tokens_max=tokens_max)
        return whole[:kept] + whole[-((tokens_max - kept) // 2) :]

    def tokens_max(self, number: int) -> int:
        return min(self.submitted[number].options.num_ctx or CONTEXT_TOKENS, CONTEXT_TOKENS_MAX)

    def check_outcome(self, number: int) -> None:
        outcome = self.outcomes[number]
        if outcome.failed is not None:
            expected = "context_length_exceeded" if self.too_long(number) else "runner_died"
            assert outcome.failed.error.code == expected
            assert expected != "runner_died" or self.failures_count
            return
        if number in self.cancelled:
            return
        assert outcome.finished is not None, f"sequence {number} never ended"
        new = self.submitted[number]
        alone = reply_alone(
            self.backend,
            self.prompt(number),
            new.options,
            tokens_max=self.tokens_max(number),
            shifts=new.shifts and self.backend.can_shift,
        )
        assert outcome.token_ids == alone[: len(outcome.token_ids)], f"sequence {number} got another reply"
        text = b"".join(self.backend.vocabulary.piece(token) for token in alone).decode()
        stops = [text.find(stop) for stop in new.options.stop if stop in text]
        assert outcome.text == text[: min(stops, default=len(text))]


@pytest.mark.parametrize("seed", [*SEEDS, *SEEDS_OF_PAST_FAILURES])
def test_a_busy_day_leaves_no_slot_behind_and_every_reply_as_if_given_alone(seed: int) -> None:
    simulation = Simulation(seed)
    try:
        for _ in range(STEPS):
            simulation.turn()
        while simulation.engine.busy:
            simulation.step()
        for number in simulation.submitted:
            simulation.check_outcome(number)
        assert simulation.backend.open_samplers_count == 0
    except AssertionError as failure:
        raise AssertionError(f"seed {seed}, step {simulation.steps_count}: {failure}") from failure


def test_the_simulated_days_contain_everything_that_can_happen() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        simulation = Simulation(seed)
        for _ in range(STEPS):
            simulation.turn()
        seen["growth"] += simulation.backend.context_tokens > CONTEXT_TOKENS
        seen["failure"] += simulation.failures_count
        seen["cancel"] += len(simulation.cancelled)
        for outcome in simulation.outcomes.values():
            seen["end"] += outcome.ended
            seen["cut"] += outcome.left_out_tokens > 0
            seen["shift"] += outcome.finished is not None and outcome.finished.shifted_tokens > 0
            seen["reuse"] += outcome.finished is not None and outcome.finished.usage.cached_tokens > 0
            seen["refusal"] += outcome.failed is not None and outcome.failed.error.code == "context_length_exceeded"
    assert min(seen.values()) > 0, seen
    assert seen["end"] > 500, seen
