"""Which template is used, and what of a rendering belongs to the model alone."""

import msgspec

from services.worker.chat_template.render import render, shared_prefix
from shared.generation import ChatPrompt, Message, ToolCall

JINJA = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
GO = "{{ range .Messages }}({{ .Role }}){{ .Content }}{{ end }}(assistant)"
SYSTEM = Message(role="system", content="Be brief.")
HELLO = Message(role="user", content="Hello")


def rendered(prompt: ChatPrompt, jinja_source: str | None = JINJA) -> str:
    return render(prompt, jinja_source=jinja_source, bos_token="<s>", eos_token="</s>")


def shared(prompt: ChatPrompt, *, jinja_source: str | None = JINJA) -> str:
    text = rendered(prompt, jinja_source)
    return shared_prefix(prompt, text, jinja_source=jinja_source, bos_token="<s>", eos_token="</s>")


def test_the_requests_go_template_comes_before_the_models_and_that_before_the_files_own() -> None:
    assert rendered(ChatPrompt(messages=(HELLO,), template=GO, model_template="unused")) == "(user)Hello(assistant)"
    assert rendered(ChatPrompt(messages=(HELLO,), model_template=GO)) == "(user)Hello(assistant)"


def test_the_files_own_template_is_used_when_there_is_no_other() -> None:
    assert rendered(ChatPrompt(messages=(HELLO,))) == "<user>Hello<assistant>"


def test_what_is_shared_comes_from_the_template_that_is_used() -> None:
    prompt = ChatPrompt(messages=(SYSTEM, HELLO), model_messages_count=1, model_template=GO)
    assert shared(prompt) == "(system)Be brief.(user)"
    assert shared(msgspec.structs.replace(prompt, model_template=None)) == "<system>Be brief.<user>"


def test_nothing_is_shared_when_the_models_template_fails() -> None:
    prompt = ChatPrompt(messages=(HELLO,), template=GO, model_template=GO)
    broken = ChatPrompt(messages=(HELLO,), model_template="{{ .X }")
    assert shared(prompt) == "(user)"
    assert shared_prefix(broken, "(user)Hello", jinja_source=None, bos_token="", eos_token="") == ""


def test_a_model_without_templates_reads_the_bare_text() -> None:
    assert rendered(ChatPrompt(messages=(SYSTEM, HELLO)), jinja_source=None) == "Hello"


def test_the_models_own_messages_and_the_header_of_the_users_are_shared() -> None:
    prompt = ChatPrompt(messages=(SYSTEM, HELLO), model_messages_count=1)
    assert shared(prompt) == "<system>Be brief.<user>"


def test_a_clients_system_message_is_not_shared() -> None:
    secret = Message(role="system", content="the plans are in the drawer")
    assert shared(ChatPrompt(messages=(secret, HELLO))) == "<"


def test_a_templates_fixed_beginning_is_shared_without_any_message_of_the_model() -> None:
    source = "You are a model." + JINJA
    assert shared(ChatPrompt(messages=(HELLO,)), jinja_source=source) == "You are a model.<user>"


def test_a_models_go_template_is_shared_but_a_requests_is_not() -> None:
    def prompt(*, template: str | None, model_template: str | None) -> ChatPrompt:
        return ChatPrompt(
            messages=(SYSTEM, HELLO), model_messages_count=1, template=template, model_template=model_template
        )

    assert shared(prompt(template=None, model_template=GO)) == "(system)Be brief.(user)"
    assert shared(prompt(template=GO, model_template=GO)) == "(system)Be brief.(user)"
    assert shared(prompt(template=GO, model_template="another")) == ""
    assert shared(prompt(template=GO, model_template=None)) == ""


def test_the_models_last_user_message_merges_with_the_requests_and_only_its_own_part_is_shared() -> None:
    example = Message(role="user", content="Example")
    prompt = ChatPrompt(messages=(example, HELLO), model_messages_count=1, model_template=GO)
    assert shared(prompt) == "(user)Example\n\n"


def test_nothing_is_shared_when_the_template_refuses_a_plain_conversation() -> None:
    source = "{% if messages[0].role == 'user' %}{{ raise_exception('system first') }}{% endif %}" + JINJA
    assert shared(ChatPrompt(messages=(SYSTEM, HELLO)), jinja_source=source) == ""


def test_nothing_a_request_brings_is_shared_but_whether_to_think() -> None:
    source = (
        "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}{{ enable_thinking }}{{ reasoning_effort }}"
        "{% for m in messages %}<{{ m.role }}>{{ m.reasoning_content }}{{ m.content }}{% endfor %}"
    )
    tool: dict[str, object] = {"type": "function", "function": {"name": "CANARY", "parameters": {}}}
    plain = ChatPrompt(messages=(SYSTEM, HELLO), model_messages_count=1, think=True)
    assert shared(plain, jinja_source=source) == "True<system>Be brief.<user>"
    assert shared(msgspec.structs.replace(plain, tools=(tool,)), jinja_source=source) == ""
    for level in ("low", "CANARY"):
        assert shared(msgspec.structs.replace(plain, think=level), jinja_source=source) == "True"
    thought = Message("assistant", "", thinking="CANARY")
    assert shared(msgspec.structs.replace(plain, messages=(SYSTEM, thought, HELLO)), jinja_source=source) == (
        "True<system>Be brief.<"
    )
    image = Message("user", "", images=(b"CANARY",))
    assert shared(msgspec.structs.replace(plain, messages=(SYSTEM, image)), jinja_source=source) == (
        "True<system>Be brief.<user>"
    )


def test_tools_and_calls_reach_templates_of_both_kinds_and_a_result_has_its_tools_name() -> None:
    call = ToolCall("add", '{"a": 1}', "call_1")
    prompt = ChatPrompt(
        messages=(HELLO, Message("assistant", "", "hm", (call,)), Message("tool", "2", tool_call_id="call_1")),
        tools=({"type": "function", "function": {"name": "add", "parameters": {}}},),
        think="high",
    )
    go = (
        "{{ range .Tools }}{{ .Function.Name }}{{ end }} {{ .ThinkLevel }}{{ range .Messages }}|{{ .Thinking }}"
        "{{ range .ToolCalls }}{{ .Function.Name }}{{ .Function.Arguments }}{{ end }}{{ .ToolName }}{{ end }}"
    )
    jinja = (
        "{% for t in tools %}{{ t.function.name }}{% endfor %} {{ reasoning_effort }}{% for m in messages %}|"
        "{{ m.reasoning_content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments }}"
        "{% endfor %}{{ m.name }}{% endfor %}"
    )
    assert rendered(msgspec.structs.replace(prompt, model_template=go)) == 'add high||hmadd{"a":1}|add'
    assert rendered(prompt, jinja) == 'add high||hmadd{"a": 1}|add'
