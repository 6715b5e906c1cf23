"""When a runner tells what its steps brought: at once what begins or ends a sequence, else a few tokens at a time."""

from collections.abc import Callable

from services.worker.engine.sequence import PromptCut, SequenceEvent, TokensOut
from services.worker.runner.messages import StepDone


class Reports:
    """Gathers the tokens of steps until `interval_s` has passed; those of longer steps go out one by one.

    Every report wakes the worker, Redis, a gateway and a client, which take the processor from the model itself; a
    person cannot tell one token every 7 ms from six every 42.
    """

    def __init__(self, send: Callable[[StepDone], None], *, interval_s: float) -> None:
        self._send = send
        self._interval_s = interval_s
        self._held: dict[int, TokensOut] = {}
        self._known: set[int] = set()
        self._sent_s = float("-inf")

    def add(self, events: list[SequenceEvent], *, context_tokens: int, more_to_come: bool, now_s: float) -> None:
        """Take one step's events, and report if one of them is urgent, no step follows or the interval is over."""
        urgent = False
        first: list[SequenceEvent] = []  # what must be known before a sequence's tokens
        last: list[SequenceEvent] = []
        for event in events:
            if isinstance(event, TokensOut):
                urgent |= event.sequence_id not in self._known
                self._known.add(event.sequence_id)
                self._hold(event)
            elif isinstance(event, PromptCut):
                urgent = True
                first.append(event)
            else:
                urgent = True
                self._known.discard(event.sequence_id)
                last.append(event)
        if not (first or self._held or last):
            return
        if more_to_come and not urgent and now_s - self._sent_s < self._interval_s:
            return
        self._send(StepDone(events=[*first, *self._held.values(), *last], context_tokens=context_tokens))
        self._held.clear()
        self._sent_s = now_s

    def _hold(self, event: TokensOut) -> None:
        held = self._held.get(event.sequence_id)
        self._held[event.sequence_id] = (
            event
            if held is None
            else TokensOut(
                event.sequence_id,
                held.text + event.text,
                held.token_ids + event.token_ids,
                held.logprobs + event.logprobs,
            )
        )
