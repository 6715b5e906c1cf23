"""Laws of Jinja rendering that hold for any template and any words."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from services.worker.chat_template.jinja import render_jinja
from shared.errors import ParameterInvalid, TemplateFailed
from shared.generation import Message

pieces = st.sampled_from(
    ["{{", "}}", "{%", "%}", "-", "|", " ", "(", ")", "'", ".", "for", "in", "if", "endfor", "endif", "m", "messages"]
)
plain_text = st.text(st.characters(exclude_characters="{#%}\r", exclude_categories=["Cs"]))


@given(st.lists(pieces, max_size=30).map("".join))
def test_no_template_fails_in_any_other_way_than_a_refusal(source: str) -> None:
    with contextlib.suppress(ParameterInvalid, TemplateFailed):
        render_jinja(source, (Message(role="user", content="a"),), bos_token="", eos_token="")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_words_are_never_read_as_template(content: str) -> None:
    source = "<{% for m in messages %}{{ m.content }}{% endfor %}>"
    messages = (Message(role="user", content=content),)
    assert render_jinja(source, messages, bos_token="", eos_token="") == f"<{content}>"


@given(plain_text)
def test_text_without_actions_renders_to_itself_but_for_one_last_newline(text: str) -> None:
    assert render_jinja(text, (), bos_token="", eos_token="") == text.removesuffix("\n")
