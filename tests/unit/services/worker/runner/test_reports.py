"""When tokens are reported and when they wait for more."""

from services.worker.engine.sequence import PromptCut, SequenceEvent, SequenceFinished, TokensOut
from services.worker.runner.messages import StepDone
from services.worker.runner.reports import Reports
from shared.generation import DoneReason, Usage

ENDED = SequenceFinished(1, DoneReason.STOP, Usage(), ())


def token(number: int, sequence_id: int = 1) -> TokensOut:
    return TokensOut(sequence_id, f"t{number} ", (number,))


class Runner:
    """A runner whose every step takes 10 ms, reporting at most every `interval_s`."""

    def __init__(self, interval_s: float = 0.025) -> None:
        self.sent: list[list[SequenceEvent]] = []
        self._reports = Reports(self._send, interval_s=interval_s)
        self._now_s = 100.0

    def _send(self, report: StepDone) -> None:
        self.sent.append(report.events)

    def step(self, *events: SequenceEvent, more_to_come: bool = True) -> None:
        self._now_s += 0.010
        self._reports.add(list(events), context_tokens=1, more_to_come=more_to_come, now_s=self._now_s)


def test_a_first_token_is_reported_at_once() -> None:
    runner = Runner()
    runner.step(token(1))
    assert runner.sent == [[token(1)]]
    runner.step(token(2), token(7, sequence_id=2))
    assert runner.sent[1] == [token(2), token(7, sequence_id=2)]


def test_the_tokens_of_steps_longer_than_the_interval_are_reported_one_by_one() -> None:
    runner = Runner(interval_s=0.009)
    for number in range(1, 4):
        runner.step(token(number))
    assert runner.sent == [[token(1)], [token(2)], [token(3)]]


def test_later_tokens_wait_for_the_interval_and_arrive_as_one() -> None:
    runner = Runner()
    for number in range(1, 8):
        runner.step(token(number))
    assert runner.sent == [
        [token(1)],
        [TokensOut(1, "t2 t3 t4 ", (2, 3, 4))],
        [TokensOut(1, "t5 t6 t7 ", (5, 6, 7))],
    ]


def test_an_end_is_reported_at_once_after_the_tokens_before_it() -> None:
    runner = Runner()
    runner.step(token(1))
    runner.step(token(2))
    runner.step(token(3), ENDED)
    assert runner.sent[1] == [TokensOut(1, "t2 t3 ", (2, 3)), ENDED]


def test_nothing_is_held_back_when_no_step_follows() -> None:
    runner = Runner()
    runner.step(token(1))
    runner.step(token(2), more_to_come=False)
    assert runner.sent[1] == [token(2)]


def test_a_step_without_events_reports_what_is_due_and_never_an_empty_report() -> None:
    runner = Runner()
    runner.step()
    assert runner.sent == []
    runner.step(token(1))
    runner.step(token(2))
    runner.step()
    runner.step()
    assert runner.sent == [[token(1)], [token(2)]]


def test_a_sequence_id_that_comes_again_begins_anew() -> None:
    runner = Runner()
    runner.step(token(1), ENDED)
    runner.step(token(2))
    assert runner.sent == [[token(1), ENDED], [token(2)]]


def test_that_a_prompt_was_cut_is_reported_at_once_and_before_its_first_token() -> None:
    runner = Runner()
    runner.step(token(1, sequence_id=2), PromptCut(1, 30), token(1))
    assert runner.sent == [[PromptCut(1, 30), token(1, sequence_id=2), token(1)]]
    runner.step(PromptCut(3, 5))
    assert runner.sent[1] == [PromptCut(3, 5)]
