"""The engine of a model that embeds: takes inputs of all requests into common forward passes, and tells the vectors.

Belongs to one thread. A turn is `step`; between steps the owner may `submit` and `cancel`. Nothing is kept from one
pass to the next, so a request that ends in the middle leaves nothing behind.
"""

import time
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence as Seq
from typing import Protocol

from services.worker.engine.backend import DecodeFailed, KvCacheFull, Vocabulary
from services.worker.engine.inputs import InputTokens, NewEmbedding, input_tokens
from services.worker.engine.intake import ContextLimits, context_tokens_of
from services.worker.engine.sequence import SequenceEvent, SequenceFailed, SequenceFinished, VectorsOut
from shared.errors import CorralError, RunnerDied
from shared.generation import DoneReason, Usage


class EmbeddingBackend(Protocol):
    """A model that turns token sequences of up to `context_tokens` into vectors, several at a time."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def context_tokens(self) -> int: ...

    @property
    def batch_tokens_max(self) -> int:
        """Tokens of all sequences of one pass together; at least `context_tokens`."""

    @property
    def sequences_max(self) -> int: ...

    def embed(self, sequences: Seq[Seq[int]]) -> list[bytes]:
        """One forward pass; for each sequence its pooled vector as little-endian 32-bit floats.

        Raises: KvCacheFull, DecodeFailed.
        """

    def grow(self, context_tokens: int) -> None:
        """Make room for sequences of `context_tokens`."""


class _Job:
    """One request: the inputs still to be computed, the first of them perhaps in tokens already."""

    def __init__(self, new: NewEmbedding, *, tokens_max: int, received_ns: int) -> None:
        self.new = new
        self.tokens_max = tokens_max
        self.received_ns = received_ns
        self.done_count = 0
        self.prompt_tokens = 0
        self._next: InputTokens | None = None

    @property
    def is_done(self) -> bool:
        return self.done_count == len(self.new.inputs)

    def first(self, vocabulary: Vocabulary) -> InputTokens:
        """The next input.

        Raises: InputTooLong, ParameterInvalid.
        """
        if self._next is None:
            value, new = self.new.inputs[self.done_count], self.new
            self._next = input_tokens(value, vocabulary, tokens_max=self.tokens_max, truncate=new.truncate)
        return self._next

    def take(self) -> None:
        """The next input is being computed."""
        assert self._next is not None
        self.prompt_tokens += len(self._next.tokens)
        self.done_count += 1
        self._next = None


_Pass = list[tuple[_Job, InputTokens]]


class Embedder:
    """Batches the inputs of all requests, one of each in turn, so that a long list does not delay a single text."""

    def __init__(
        self,
        backend: EmbeddingBackend,
        *,
        context_limits: ContextLimits,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._backend = backend
        self._context_limits = context_limits
        self._now_ns = now_ns
        self._jobs: deque[_Job] = deque()
        self._events: list[SequenceEvent] = []

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._jobs or self._events)

    def submit(self, new: NewEmbedding) -> None:
        assert new.inputs, "there is nothing to embed"
        tokens_max = context_tokens_of(new.options, self._context_limits)
        self._jobs.append(_Job(new, tokens_max=tokens_max, received_ns=self._now_ns()))

    def cancel(self, sequence_id: int) -> None:
        """Forget the request; unknown and finished ones are ignored."""
        self._jobs = deque(job for job in self._jobs if job.new.sequence_id != sequence_id)

    def step(self) -> list[SequenceEvent]:
        """One turn: at most one forward pass. Returns what happened, in order."""
        if chosen := self._chosen():
            try:
                vectors = self._backend.embed([taken.tokens for _, taken in chosen])
            except (KvCacheFull, DecodeFailed) as cause:
                for job in dict.fromkeys(job for job, _ in chosen):
                    self._fail(job, RunnerDied(str(cause)))
            else:
                self._tell(chosen, vectors)
        events, self._events = self._events, []
        return events

    def _chosen(self) -> _Pass:
        """The inputs of the next pass. The first job's always fits, and every job comes first in its turn."""
        chosen: _Pass = []
        tokens_count = 0
        turn = deque(self._jobs)
        while turn and len(chosen) < self._backend.sequences_max:
            job = turn.popleft()
            first = self._first(job)
            if first is None or tokens_count + len(first.tokens) > self._backend.batch_tokens_max:
                continue
            job.take()
            chosen.append((job, first))
            tokens_count += len(first.tokens)
            if not job.is_done:
                turn.append(job)
        self._jobs.rotate(-1)
        return chosen

    def _first(self, job: _Job) -> InputTokens | None:
        """The job's next input, for which there is room now; None when it cannot be, and the job has failed."""
        try:
            first = job.first(self._backend.vocabulary)
        except CorralError as error:
            self._fail(job, error)
            return None
        if len(first.tokens) > self._backend.context_tokens:
            self._backend.grow(job.tokens_max)
        return first

    def _tell(self, chosen: _Pass, vectors: Seq[bytes]) -> None:
        told: dict[_Job, list[bytes]] = {}
        truncated: dict[_Job, int] = {}
        for (job, taken), vector in zip(chosen, vectors, strict=True):
            told.setdefault(job, []).append(vector)
            truncated[job] = truncated.get(job, 0) + taken.truncated
        for job, own in told.items():
            if job not in self._jobs:
                continue  # a later input of it was refused
            self._events.append(VectorsOut(job.new.sequence_id, tuple(own), truncated[job]))
            if job.is_done:
                self._jobs.remove(job)
                usage = Usage(prompt_tokens=job.prompt_tokens, prompt_ns=self._now_ns() - job.received_ns)
                self._events.append(SequenceFinished(job.new.sequence_id, DoneReason.STOP, usage, ()))

    def _fail(self, job: _Job, error: CorralError) -> None:
        if job in self._jobs:
            self._jobs.remove(job)
            self._events.append(SequenceFailed(job.new.sequence_id, error.info()))
