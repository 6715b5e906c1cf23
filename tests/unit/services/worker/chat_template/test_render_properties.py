"""The law that keeps tenants apart: what is shared is decided by the model, whatever the request says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.worker.chat_template.render import render, shared_prefix
from shared.generation import ChatPrompt, Message, ToolCall

CHATML = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}<system>You are a model.</s>{% endif %}"
    "<{{ m.role }}>{{ m.content }}</s>{% endfor %}<assistant>"
)
TRIMMING = "{{ bos_token }}{% for m in messages %}[{{ m.content | trim | upper }}]{% endfor %}"
COUNTING = "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}"
GO = "{{ .System }}|{{ range .Messages }}<{{ .Role }}>{{ .Content }}{{ end }}"
PER_TURN = "{{ if .System }}<<{{ .System }}>>{{ end }}[{{ .Prompt }}]{{ .Response }}"

roles = st.sampled_from(["system", "user", "assistant", "tool"])
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["a", "b", "You are a model."])
conversations = st.lists(st.builds(Message, role=roles, content=words), min_size=1, max_size=4).map(tuple)
model_parts = st.lists(st.builds(Message, role=roles, content=words), max_size=2).map(tuple)


def shared(source: str, is_go: bool, own: tuple[Message, ...], theirs: tuple[Message, ...]) -> tuple[str, str]:
    template, jinja_source = (source, None) if is_go else (None, source)
    prompt = ChatPrompt(messages=(*own, *theirs), model_messages_count=len(own), model_template=template)
    text = render(prompt, jinja_source=jinja_source, bos_token="<s>", eos_token="")
    prefix = shared_prefix(prompt, text, jinja_source=jinja_source, bos_token="<s>", eos_token="")
    return prefix, text


@pytest.mark.parametrize(
    ("source", "is_go"), [(CHATML, False), (TRIMMING, False), (COUNTING, False), (GO, True), (PER_TURN, True)]
)
@given(own=model_parts, theirs=conversations, question=words)
def test_what_is_shared_is_a_beginning_of_a_text_no_request_can_change(
    source: str, is_go: bool, own: tuple[Message, ...], theirs: tuple[Message, ...], question: str
) -> None:
    prefix, text = shared(source, is_go, own, theirs)
    assert text.startswith(prefix)
    # A conversation of the model's own messages and two different words bounds every other: `a` and `b` cannot both
    # be in what is common to them.
    bound_a, _ = shared(source, is_go, own, (Message(role="user", content="a"),))
    bound_b, _ = shared(source, is_go, own, (Message(role="user", content="b"),))
    assert bound_a == bound_b
    assert bound_a.startswith(prefix)
    # And of two requests the shorter share is always the beginning of the longer: there is one text behind both.
    other, _ = shared(source, is_go, own, (Message(role="user", content=question),))
    assert prefix.startswith(other) or other.startswith(prefix)


TELLING = (
    "{{ reasoning_effort }}{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{% for m in messages %}<{{ m.role }}>"
    "{{ m | tojson }}{% endfor %}"
)


@given(secret=st.text("QXZ", min_size=8, max_size=20), role=roles)
def test_no_secret_anywhere_in_a_request_is_ever_in_what_is_shared(secret: str, role: str) -> None:
    call = ToolCall(secret, json.dumps({secret: secret}), secret)
    message = Message(role, secret, secret, (call,), secret, secret, (secret.encode(),))
    tool: dict[str, object] = {"type": "function", "function": {"name": secret}}
    prompt = ChatPrompt(messages=(message,), tools=(tool,), forced_tools=(secret,), think=secret, model_parser=secret)
    text = render(prompt, jinja_source=TELLING, bos_token="", eos_token="")
    assert secret in text
    assert not set(shared_prefix(prompt, text, jinja_source=TELLING, bos_token="", eos_token="")) & set("QXZ")


@given(secret=st.text("QXZ", min_size=8, max_size=20), role=roles)
def test_no_text_of_a_request_is_ever_in_what_is_shared(secret: str, role: str) -> None:
    prefix, text = shared(CHATML, False, (), (Message(role=role, content=secret),))
    assert secret in text
    assert not set(prefix) & set("QXZ")
