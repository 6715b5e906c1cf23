"""What is tried when a prompt is too long: who may lose what, and in which order."""

from services.worker.fitting import Attempt, next_attempt
from shared.digest import Digest
from shared.errors import ContextLengthExceeded, CorralError, RunnerDied
from shared.generation import ChatPrompt, GenerationRequest, Message, Prompt, RawPrompt, RequestId
from shared.options import Options

TOO_LONG = ContextLengthExceeded(prompt_tokens=300, context_tokens=200)
ONE = ChatPrompt(messages=(Message("user", "a question"),))
TWO = ChatPrompt(messages=(Message("user", "long ago " * 20), Message("user", "a question")))


def request(prompt: Prompt, *, truncate: bool = True, shift: bool = True) -> GenerationRequest:
    return GenerationRequest(
        request_id=RequestId("r1"), gateway_id="g", model="m", weights=Digest("sha256:" + "0" * 64), prompt=prompt,
        options=Options(), truncate=truncate, shift=shift, tenant="ann", user="ann", deadline_unix_ms=1,
    )  # fmt: skip


def after(
    attempt: Attempt, *, truncate: bool = True, shift: bool = True, error: CorralError = TOO_LONG
) -> Attempt | None:
    return next_attempt(request(attempt.prompt, truncate=truncate, shift=shift), attempt, error)


def test_old_messages_go_first_and_tokens_last() -> None:
    assert after(Attempt(TWO)) == Attempt(ONE)
    assert after(Attempt(ONE)) == Attempt(ONE, cuts_tokens=True)
    assert after(Attempt(ONE, cuts_tokens=True)) is None


def test_a_prompt_without_messages_is_cut_at_once() -> None:
    raw = RawPrompt(text="word " * 300)
    assert after(Attempt(raw)) == Attempt(raw, cuts_tokens=True)


def test_without_shift_only_messages_go() -> None:
    assert after(Attempt(TWO), shift=False) == Attempt(ONE)
    assert after(Attempt(ONE), shift=False) is None


def test_nothing_goes_that_was_not_to_be_truncated() -> None:
    assert after(Attempt(TWO), truncate=False) is None
    assert after(Attempt(RawPrompt(text="word")), truncate=False) is None


def test_a_prompt_with_a_picture_is_not_cut() -> None:
    assert after(Attempt(ChatPrompt(messages=(Message("user", "look", images=(b"png",)),)))) is None


def test_other_failures_are_no_reason_to_shorten() -> None:
    assert after(Attempt(TWO), error=RunnerDied("gone")) is None
