"""New generations on their way to becoming sequences. Text is read at once; images are read while others go on."""

from collections.abc import Iterable
from collections.abc import Sequence as Seq
from concurrent.futures import Future
from typing import Any

from services.worker.engine.backend import Backend
from services.worker.engine.intake import ContextLimits, check_length, context_tokens_of, prepared, prompt_of
from services.worker.engine.media import Part, words_of
from services.worker.engine.sequence import (
    NewSequence,
    PromptCut,
    Sequence,
    SequenceEvent,
    SequenceFailed,
    SequenceFinished,
)
from shared.errors import CorralError
from shared.generation import DoneReason, Usage

Arrival = Sequence | SequenceEvent
"""A sequence that may run, or what there is to tell of one: that it lost something, or its end."""


class _Reading:
    """A generation whose images are being read."""

    def __init__(self, new: NewSequence, parts: "Future[Seq[Part]]", received_ns: int) -> None:
        self.new = new
        self.parts = parts
        self.received_ns = received_ns


class Arrivals:
    """Knows the generations whose images are being read; those that arrived belong to the caller."""

    def __init__(self, backend: Backend, limits: ContextLimits) -> None:
        self._backend = backend
        self._limits = limits
        self._reading: list[_Reading] = []

    @property
    def awaited(self) -> "Seq[Future[Any]]":
        """What is being read."""
        return [reading.parts for reading in self._reading]

    def submit(self, new: NewSequence, *, received_ns: int) -> list[Arrival]:
        """Take a generation in; it arrives now, or once its images are read."""
        if not new.images:
            return self._arrived(new, None, received_ns)
        try:
            check_length(new, context_tokens_of(new.options, self._limits))
            parts = self._backend.read_images(
                new.prompt, new.images, add_special=not new.context, owner=new.tenant
            )  # fmt: skip
        except CorralError as error:
            return [SequenceFailed(new.sequence_id, error.info())]
        self._reading.append(_Reading(new, parts, received_ns))
        return []

    def cancel(self, sequence_id: int) -> None:
        """Forget a generation whose images are being read; others are ignored."""
        for reading in [reading for reading in self._reading if reading.new.sequence_id == sequence_id]:
            reading.parts.cancel()
            self._reading.remove(reading)

    def read(self) -> list[Arrival]:
        """The generations whose images have been read since the last time."""
        done = [reading for reading in self._reading if reading.parts.done()]
        arrivals: list[Arrival] = []
        for reading in done:
            self._reading.remove(reading)
            try:
                parts = reading.parts.result()
            except CorralError as error:
                arrivals.append(SequenceFailed(reading.new.sequence_id, error.info()))
            else:
                arrivals += self._arrived(reading.new, parts, reading.received_ns)
        return arrivals

    def _arrived(self, new: NewSequence, parts: Iterable[Part] | None, received_ns: int) -> list[Arrival]:
        try:
            return self._counted(new, parts) if new.count_only else self._prepared(new, parts, received_ns)
        except CorralError as error:
            return [SequenceFailed(new.sequence_id, error.info())]

    def _counted(self, new: NewSequence, parts: Iterable[Part] | None) -> list[Arrival]:
        """How many tokens the prompt has; nothing is computed.

        Raises: ContextLengthExceeded, ParameterInvalid.
        """
        tokens_max = context_tokens_of(new.options, self._limits)
        prompt, _ = prompt_of(new, self._backend.vocabulary, tokens_max, parts)
        usage = Usage(prompt_tokens=len(prompt))
        words = tuple(words_of(prompt))
        return [SequenceFinished(new.sequence_id, DoneReason.STOP, usage, words, context_tokens=tokens_max)]

    def _prepared(self, new: NewSequence, parts: Iterable[Part] | None, received_ns: int) -> list[Arrival]:
        """Raises: ContextLengthExceeded, ParameterInvalid."""
        sequence = prepared(new, self._backend.vocabulary, self._limits, parts=parts, received_ns=received_ns)
        if new.sampling.json_schema is not None:
            sequence.constraint = self._backend.constraint(new.sampling.json_schema)
        cut = [PromptCut(new.sequence_id, sequence.left_out_tokens)] if sequence.left_out_tokens else []
        return [*cut, sequence]
