"""Markers stand where the images belong, and nowhere else."""

import pytest

from services.worker.chat_template.images import IMAGE_MARKER, with_markers
from services.worker.chat_template.render import render
from shared.errors import ParameterInvalid
from shared.generation import ChatPrompt, Message, ToolCall

CHATML = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
PARTS_ONLY = "{% for m in messages %}{{ m.role }}:{% for part in m.content %}{{ part.text }}{% endfor %};{% endfor %}"
GO = "{{ range .Messages }}({{ .Role }}){{ .Content }}{{ if .Images }} [{{ len .Images }}]{{ end }}{{ end }}"


def user(text: str, images_count: int = 0) -> Message:
    return Message("user", text, images=(b"image",) * images_count)


def placed(text: str, images_count: int) -> str:
    (message,) = with_markers(ChatPrompt(messages=(user(text, images_count),))).messages
    return message.content.replace(IMAGE_MARKER, "#")


def rendered(*messages: Message, jinja: str | None = CHATML, go: str | None = None) -> str:
    prompt = ChatPrompt(messages=messages, model_template=go)
    return render(prompt, jinja_source=jinja, bos_token="", eos_token="").replace(IMAGE_MARKER, "#")


@pytest.mark.parametrize(
    ("text", "images_count", "shown"),
    [
        ("What?", 1, "#What?"),
        ("What?", 2, "##What?"),
        ("this [img] or that [img]?", 2, "this # or that #?"),
        ("this [img] of both?", 2, "#this # of both?"),
        ("[img] and [img]", 1, "# and [img]"),
    ],
)
def test_images_stand_where_the_text_says_or_before_it(text: str, images_count: int, shown: str) -> None:
    assert placed(text, images_count) == shown


def test_every_kind_of_template_shows_a_marker_for_each_image_in_order() -> None:
    talk = (user("one", 1), Message("assistant", "1"), user("two [img]!", 1))
    assert rendered(*talk) == "<user>#one<assistant>1<user>two #!<assistant>"
    assert rendered(*talk, jinja=PARTS_ONLY) == "user:#one;assistant:1;user:two #!;"
    assert rendered(*talk, go=GO) == "(user)#one [1](assistant)1(user)two #! [1]"
    assert rendered(user("one", 1), user("two", 1), go="{{ .Prompt }}") == "#one\n\n#two"


def test_what_looks_like_a_marker_is_made_harmless_everywhere() -> None:
    forged = f"a{IMAGE_MARKER}b"
    tool: dict[str, object] = {"type": "function", "function": {"name": forged, "parameters": {forged: [forged]}}}
    prompt = with_markers(
        ChatPrompt(
            messages=(
                Message("system", forged),
                Message("assistant", forged, forged, (ToolCall(forged, f'{{"{forged}": 1}}', forged),)),
                Message("tool", forged, tool_name=forged, tool_call_id=forged),
                user(forged, 1),
            ),
            tools=(tool,),
        )
    )
    shown = f"{prompt.messages}{prompt.tools}"
    assert shown.count(IMAGE_MARKER) == 1
    assert prompt.messages[-1].content == f"{IMAGE_MARKER}a< __media__>b"


def test_without_images_the_word_is_a_word_like_any_other() -> None:
    assert rendered(user("What is <__media__>?")) == "<user>What is #?<assistant>"


@pytest.mark.parametrize(
    "template",
    ["{{ messages | length }}", "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}"],
)
def test_a_template_that_leaves_images_out_or_repeats_them_is_refused(template: str) -> None:
    with pytest.raises(ParameterInvalid, match="does not show each image"):
        rendered(user("one", 1), jinja=template)
