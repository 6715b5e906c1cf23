"""The engine: admit, plan, decode, sample, tell. The one place that changes sequences, slots and KV memory.

Belongs to one thread. A turn of the loop is `step`; between steps the owner may `submit` and `cancel`.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Final

from services.worker.engine.arrivals import Arrival, Arrivals
from services.worker.engine.backend import (
    Backend,
    Constraint,
    ConstraintFailed,
    DecodeFailed,
    KvCacheFull,
    Run,
    Sampler,
)
from services.worker.engine.intake import ContextLimits
from services.worker.engine.media import words_of
from services.worker.engine.prefix_cache import PrefixTree
from services.worker.engine.scheduler import Limits, Pass, PrefillPace, Share, SlotView, plan
from services.worker.engine.sequence import (
    NewSequence,
    Phase,
    Sequence,
    SequenceEvent,
    SequenceFailed,
    SequenceFinished,
    TokensOut,
)
from services.worker.engine.shifting import leaving_tokens
from services.worker.engine.slots import Candidate, Slot, choose, reusable_tokens
from shared.errors import CorralError, ParameterInvalid, RunnerDied
from shared.generation import DoneReason

NEVER: Final = -1e30
"""Added to a token's logit, it keeps the token from being drawn."""

OTHERS_WAIT_S: Final = 0.005
"""How long the engine waits for other threads' work before it looks for commands again."""


class Engine:
    """Continuous batching over a backend's slots."""

    def __init__(
        self,
        backend: Backend,
        *,
        batch_tokens_max: int,
        context_limits: ContextLimits,
        pace: PrefillPace,
        prompts_apart: bool,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._backend = backend
        self._batch_tokens_max = batch_tokens_max
        self._arrivals = Arrivals(backend, context_limits)
        self._pace = pace
        self._prompts_apart = prompts_apart
        self._now_ns = now_ns
        self._slots = [Slot(index) for index in range(backend.slots_count)]
        self._tree = PrefixTree()
        self._waiting: deque[Sequence] = deque()
        self._passes: deque[Pass] = deque()
        self._order = 0
        self._events: list[SequenceEvent] = []

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        in_slots = any(not slot.free for slot in self._slots)
        return bool(in_slots or self._waiting or self._events or self._arrivals.awaited)

    def submit(self, new: NewSequence) -> None:
        """Queue a sequence; one that cannot run fails in the next step's events."""
        self._take_in(self._arrivals.submit(new, received_ns=self._now_ns()))

    def _take_in(self, arrivals: Iterable[Arrival]) -> None:
        for arrival in arrivals:
            if isinstance(arrival, Sequence):
                self._waiting.append(arrival)
            else:
                self._events.append(arrival)

    def cancel(self, sequence_id: int) -> None:
        """Free what the sequence holds; unknown and finished ones are ignored."""
        self._arrivals.cancel(sequence_id)
        for waiting in self._waiting:
            if waiting.sequence_id == sequence_id:
                self._waiting.remove(waiting)
                if waiting.constraint is not None:
                    waiting.constraint.cancel()
                return
        for slot in self._slots:
            if slot.sequence is not None and slot.sequence.sequence_id == sequence_id:
                self._release(slot)
                return

    def step(self) -> list[SequenceEvent]:
        """One turn: at most one forward pass. Returns what happened, in order."""
        self._take_in(self._arrivals.read())
        if shares := self._next_pass():
            started_ns = self._now_ns()
            prefilled = self._prefill_tokens(shares)
            if self._decode(shares):
                self._advance(shares)
                self._pace.observe(prefill_tokens=prefilled, step_s=(self._now_ns() - started_ns) / 1e9)
        elif not self._events:
            self._await_others()
        events, self._events = self._events, []
        return events

    def _next_pass(self) -> Pass:
        """The next planned pass, less what was cancelled since; empty when there is nothing to compute.

        Sequences are admitted only when a plan is used up, so a slot in it is still the one it was planned for or free.
        """
        if not self._passes:
            self._admit()
            limits = Limits(self._batch_tokens_max, self._pace.tokens, self._prompts_apart)
            self._passes.extend(plan(self._view(), limits))
        shares: Pass = ()
        while self._passes and not shares:
            shares = tuple(share for share in self._passes.popleft() if not self._slots[share.slot].free)
        return shares

    def _view(self) -> list[SlotView]:
        return [
            SlotView(slot.index, slot.used_order, sequence.pending_tokens, whole=sequence.coming_media is not None)
            for slot in self._slots
            if (sequence := slot.sequence) is not None
        ]

    def _await_others(self) -> None:
        """There is nothing to compute: if constraints are being compiled or images read, wait for one a little."""
        compiling = [sequence.constraint for sequence in self._waiting if sequence.constraint is not None]
        if awaited := [*compiling, *self._arrivals.awaited]:
            wait(awaited, timeout=OTHERS_WAIT_S, return_when=FIRST_COMPLETED)

    def _admit(self) -> None:
        """Place sequences in the order they came; one whose constraint is being compiled lets others pass."""
        for sequence in tuple(self._waiting):
            if sequence.constraint is not None and not sequence.constraint.done():
                continue
            try:
                constraint = sequence.constraint.result() if sequence.constraint is not None else None
            except CorralError as error:
                self._waiting.remove(sequence)
                self._fail(sequence.sequence_id, error)
                continue
            if not self._admitted(sequence, constraint):
                return

    def _admitted(self, sequence: Sequence, constraint: Constraint | None) -> bool:
        """Place the sequence if there is room for it."""
        if sequence.tokens_max > self._backend.context_tokens and not self._grown(sequence.tokens_max):
            return False
        matches = self._tree.matches(sequence.prompt)
        choice = choose(
            [
                Candidate(
                    index=slot.index,
                    free=slot.free,
                    held_tokens=len(slot.tokens),
                    reusable_tokens=reusable_tokens(slot, sequence, matches.get(slot.index, 0)),
                    used_order=slot.used_order,
                )
                for slot in self._slots
            ]
        )
        if choice is None:
            return False
        self._waiting.remove(sequence)
        self._place(sequence, self._slots[choice.slot], self._slots[choice.source], choice.reused_tokens)
        sequence.sampler = self._sampler(sequence, constraint)
        return True

    def _sampler(self, sequence: Sequence, constraint: Constraint | None) -> Sampler:
        """What draws the tokens from here on. Before the gate to a constraint everything may be said but an end."""
        bias = sequence.sampling.logit_bias
        if sequence.gate is not None:
            constraint = None
            bias = {**bias, **dict.fromkeys(self._backend.vocabulary.ending, NEVER)}
        history = words_of([*sequence.prompt, *sequence.generated])
        return self._backend.sampler(sequence.options, history, logit_bias=bias, constraint=constraint)

    def _pass_gate(self, sequence: Sequence, characters: str) -> None:
        if sequence.gate is None or not sequence.gate.opens(characters):
            return
        sequence.gate = None
        assert sequence.sampler is not None
        assert sequence.constraint is not None
        sequence.sampler.close()
        sequence.sampler = self._sampler(sequence, sequence.constraint.result())

    def _grown(self, context_tokens: int) -> bool:
        """Enlarge the context once nobody is in it; until then the sequence that wants it holds up admission."""
        if any(not slot.free for slot in self._slots):
            return False
        self._backend.grow(context_tokens)
        self._slots = [Slot(index) for index in range(self._backend.slots_count)]
        self._tree = PrefixTree()
        return True

    def _place(self, sequence: Sequence, slot: Slot, source: Slot, reused_tokens: int) -> None:
        if source is not slot:
            self._backend.copy(source.index, slot.index)
        reused_tokens = self._keep(slot, reused_tokens)
        decoded_reused = reused_tokens > source.undecoded_tokens
        slot.undecoded_tokens = source.undecoded_tokens if decoded_reused else len(sequence.prompt)
        slot.tokens = sequence.prompt[:reused_tokens]
        slot.tenant = sequence.tenant
        slot.shared_tokens = sequence.shared_tokens
        self._order += 1
        slot.used_order = self._order
        slot.sequence = sequence
        self._tree.insert(slot.index, slot.tokens)
        sequence.slot = slot.index
        sequence.phase = Phase.PREFILL
        sequence.cached_tokens = sequence.computed_tokens = reused_tokens

    def _keep(self, slot: Slot, tokens_count: int) -> int:
        """Keep that many tokens of what memory holds for the slot, or none: a recurrent model cannot roll back."""
        if self._backend.truncate(slot.index, tokens_count):
            return tokens_count
        self._backend.truncate(slot.index, 0)
        return 0

    def _prefill_tokens(self, shares: Pass) -> int:
        """How many tokens of prompts' texts the pass computes."""
        return sum(
            share.tokens_count
            for share in shares
            if (sequence := self._slots[share.slot].sequence) is not None
            and sequence.phase is Phase.PREFILL
            and sequence.coming_media is None
        )

    def _decode(self, shares: Pass) -> bool:
        """Compute the step; when that fails its sequences fail, the others and the model live on."""
        try:
            self._compute(shares)
        except (KvCacheFull, DecodeFailed) as cause:
            for share in shares:
                slot = self._slots[share.slot]
                assert slot.sequence is not None
                self._fail(slot.sequence.sequence_id, RunnerDied(str(cause)))
                self._release(slot)
                self._backend.truncate(slot.index, 0)
                slot.tokens = []
                self._tree.remove(slot.index)
            return False
        return True

    def _compute(self, shares: Pass) -> None:
        """Raises: KvCacheFull, DecodeFailed."""
        slot = self._slots[shares[0].slot]
        assert slot.sequence is not None
        if (media := slot.sequence.coming_media) is not None:
            assert len(shares) == 1, "media have a pass of their own"
            self._backend.decode_media(slot.index, len(slot.tokens), media)
        else:
            self._backend.decode([self._run(share) for share in shares])

    def _run(self, share: Share) -> Run:
        slot = self._slots[share.slot]
        sequence = slot.sequence
        assert sequence is not None
        if sequence.phase is Phase.DECODE:
            return Run(slot.index, len(slot.tokens), sequence.generated[-1:], True)
        done = sequence.computed_tokens
        tokens = sequence.prompt[done : done + share.tokens_count]
        return Run(slot.index, done, tokens, done + share.tokens_count == len(sequence.prompt))

    def _advance(self, shares: Pass) -> None:
        row = -1
        for share in shares:
            slot = self._slots[share.slot]
            sequence = slot.sequence
            assert sequence is not None
            row += share.tokens_count
            if sequence.phase is Phase.DECODE:
                slot.tokens.append(sequence.generated[-1])
            else:
                done = sequence.computed_tokens
                slot.tokens += sequence.prompt[done : done + share.tokens_count]
                sequence.computed_tokens += share.tokens_count
                if sequence.computed_tokens < len(sequence.prompt):
                    continue
                sequence.phase = Phase.DECODE
                self._tree.insert(slot.index, slot.tokens)
            self._sample(slot, sequence, row)

    def _sample(self, slot: Slot, sequence: Sequence, row: int) -> None:
        assert sequence.sampler is not None
        try:
            token = sequence.sampler.sample(row)
        except ConstraintFailed as cause:
            self._fail(sequence.sequence_id, ParameterInvalid(f"the output format could not be kept up: {cause}"))
            self._release(slot)
            return
        self._accept(slot, sequence, token, row)

    def _accept(self, slot: Slot, sequence: Sequence, token: int, row: int) -> None:
        """Add a sampled token: tell its text, and end the sequence where it ends."""
        if not sequence.generated:
            sequence.first_token_ns = self._now_ns()
        vocabulary = self._backend.vocabulary
        sequence.generated.append(token)
        if vocabulary.ends_generation(token):
            self._finish(slot, sequence, DoneReason.STOP, token)
            return
        characters = sequence.detokenizer.feed(sequence.markers.get(token) or vocabulary.piece(token))
        self._pass_gate(sequence, characters)
        if sequence.sampling.top_logprobs is not None:
            logprob = self._backend.logprob(row, token, top_count=sequence.sampling.top_logprobs)
            sequence.held_logprobs.add(logprob, len(characters))
        text = sequence.stop_matcher.feed(characters)
        if sequence.stop_matcher.stopped:
            self._tell(sequence, text, token)
            self._finish(slot, sequence, DoneReason.STOP)
        else:
            self._tell(sequence, text, token)
            if len(sequence.generated) >= sequence.generated_max or not self._has_room(slot, sequence):
                self._finish(slot, sequence, DoneReason.LENGTH)

    def _has_room(self, slot: Slot, sequence: Sequence) -> bool:
        """Whether the next token has room, if need be because older ones leave."""
        if not sequence.fills_context:
            return True
        kept = sequence.kept_tokens
        leaving = leaving_tokens(len(slot.tokens), kept)
        if not sequence.shifts or not self._backend.shift(slot.index, kept, leaving):
            return False
        del slot.tokens[kept : kept + leaving]
        sequence.shifted_tokens += leaving
        self._tree.insert(slot.index, slot.tokens[:kept])
        return True

    def _tell(self, sequence: Sequence, text: str, *tokens: int) -> None:
        logprobs = sequence.held_logprobs.release(len(text))
        if sequence.stop_matcher.stopped:
            logprobs += sequence.held_logprobs.cut()
        self._events.append(TokensOut(sequence.sequence_id, text, tokens, logprobs))

    def _finish(self, slot: Slot, sequence: Sequence, reason: DoneReason, token: int | None = None) -> None:
        if not sequence.stop_matcher.stopped:
            rest = sequence.stop_matcher.feed(sequence.detokenizer.flush())
            rest += sequence.stop_matcher.flush()
            if rest or token is not None:
                self._tell(sequence, rest, *(() if token is None else (token,)))
        usage, stop_string = sequence.usage(self._now_ns()), sequence.stop_matcher.matched
        prompt = tuple(words_of(sequence.prompt))
        self._events.append(
            SequenceFinished(sequence.sequence_id, reason, usage, prompt, stop_string, sequence.shifted_tokens)
        )
        self._release(slot)

    def _release(self, slot: Slot) -> None:
        """Free the slot; what it holds stays as a cached prefix, unless it was moved."""
        sequence = slot.sequence
        assert sequence is not None
        if sequence.sampler is not None:
            sequence.sampler.close()
        slot.sequence = None
        if sequence.shifted_tokens:
            slot.tokens = slot.tokens[: self._keep(slot, sequence.kept_tokens)]
        slot.undecoded_tokens = min(slot.undecoded_tokens, len(slot.tokens))
        self._tree.insert(slot.index, slot.tokens)

    def _fail(self, sequence_id: int, error: CorralError) -> None:
        self._events.append(SequenceFailed(sequence_id, error.info()))
