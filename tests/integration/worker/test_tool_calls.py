"""Forced calls and thoughts before bound answers, on a real model that was taught neither."""

import json
import re

import jsonschema
import msgspec
import pytest

from fakes.gateway_desk import GatewayDesk
from fakes.model_outputs import CLOCK, FORECAST
from fakes.polling import until
from harness.worker_service import WorkerService
from shared.generation import ChatPrompt, Delta, DoneReason, Message, Piece, RequestId, Sampling, joined
from shared.model_index import ModelEntry

TEMPLATE = (
    "{{ if .Tools }}<|im_start|>system\nTools: {{ .Tools }}<|im_end|>\n{{ end }}"
    "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}"
    '{{ if .ToolCalls }}<tool_call>\n{{ range .ToolCalls }}{"name": "{{ .Function.Name }}"}{{ end }}{{ end }}'
    "<|im_end|>\n{{ end }}<|im_start|>assistant\n"
)
THINKING = TEMPLATE.replace("{{ .Content }}", "{{ if .Thinking }}Thought: {{ .Thinking }}.\n{{ end }}{{ .Content }}")
"""Its thoughts are one sentence, so that a model without training ends one."""

QUESTION = (Message("user", "What is the weather like in Paris?"),)

SUNNY = msgspec.json.encode(
    {
        "type": "object",
        "properties": {"sunny": {"type": "boolean"}},
        "required": ["sunny"],
        "additionalProperties": False,
    }
).decode()
TOOLS = (FORECAST, CLOCK)
PARAMETERS = FORECAST["function"]["parameters"]  # type: ignore[index]


@pytest.fixture
async def model(desk: GatewayDesk, worker: WorkerService) -> ModelEntry:
    """A model the worker holds."""
    entry = await desk.publish("smollm2:135m")
    await desk.load(worker.worker_id, entry)
    await until(lambda: desk.is_ready(entry), within_s=20)
    return entry


def heard(desk: GatewayDesk, request_id: RequestId) -> Piece:
    return joined([event.piece for event in desk.heard[request_id].events if isinstance(event, Delta)])


async def test_a_forced_call_names_the_tool_and_fits_its_parameters(desk: GatewayDesk, model: ModelEntry) -> None:
    prompt = ChatPrompt(messages=QUESTION, tools=TOOLS, forced_tools=("forecast",), model_template=TEMPLATE)
    for temperature in (0.0, 1.5):
        request_id = await desk.ask(model, prompt, num_predict=300, temperature=temperature, seed=1)
        assert (await desk.finished(request_id)).reason is DoneReason.STOP
        answer = heard(desk, request_id)
        (call,) = answer.tool_calls
        assert (answer.text, answer.thinking, call.name) == ("", "", "forecast")
        assert re.fullmatch(r"call_[a-z0-9]{8}", call.call_id)
        jsonschema.validate(json.loads(call.arguments), PARAMETERS)
        if temperature == 0:
            assert "Paris" in json.loads(call.arguments)["city"]


async def test_of_several_forced_tools_one_is_called(desk: GatewayDesk, model: ModelEntry) -> None:
    prompt = ChatPrompt(messages=QUESTION, tools=TOOLS, forced_tools=("clock", "forecast"), model_template=TEMPLATE)
    request_id = await desk.ask(model, prompt, num_predict=300)
    assert (await desk.finished(request_id)).reason is DoneReason.STOP
    (call,) = heard(desk, request_id).tool_calls
    assert call.name in ("clock", "forecast")


async def test_a_call_that_the_length_limit_cut_is_not_told(desk: GatewayDesk, model: ModelEntry) -> None:
    prompt = ChatPrompt(messages=QUESTION, tools=TOOLS, forced_tools=("forecast",), model_template=TEMPLATE)
    request_id = await desk.ask(model, prompt, num_predict=6)
    assert (await desk.finished(request_id)).reason is DoneReason.LENGTH
    assert heard(desk, request_id) == Piece()


async def test_a_thought_comes_before_a_forced_call_and_before_an_answer_that_a_schema_binds(
    desk: GatewayDesk, model: ModelEntry
) -> None:
    thoughtful = ChatPrompt(messages=QUESTION, think=True, model_template=THINKING)
    bound = await desk.ask(model, thoughtful, num_predict=300, sampling=Sampling(json_schema=SUNNY))
    called = await desk.ask(
        model,
        ChatPrompt(messages=QUESTION, tools=TOOLS, think=True, forced_tools=("clock",), model_template=THINKING),
        num_predict=300,
    )
    assert (await desk.finished(bound)).reason is DoneReason.STOP
    assert (await desk.finished(called)).reason is DoneReason.STOP
    answer, call = heard(desk, bound), heard(desk, called)
    assert answer.thinking
    assert answer.tool_calls == ()
    assert "Thought" not in answer.thinking
    assert isinstance(json.loads(answer.text)["sunny"], bool)
    assert call.thinking
    assert [(made.name, made.arguments) for made in call.tool_calls] == [("clock", "{}")]
    assert call.text == ""


async def test_without_thinking_a_schema_binds_from_the_start(desk: GatewayDesk, model: ModelEntry) -> None:
    prompt = ChatPrompt(messages=QUESTION, think=False, model_template=THINKING)
    request_id = await desk.ask(model, prompt, num_predict=100, sampling=Sampling(json_schema=SUNNY))
    assert (await desk.finished(request_id)).reason is DoneReason.STOP
    answer = heard(desk, request_id)
    assert isinstance(json.loads(answer.text)["sunny"], bool)
    assert answer.thinking == ""


async def test_an_answer_with_a_schema_may_be_a_call_where_tools_may_be_called(
    desk: GatewayDesk, model: ModelEntry
) -> None:
    prompt = ChatPrompt(messages=QUESTION, tools=TOOLS, model_template=TEMPLATE)
    request_id = await desk.ask(model, prompt, num_predict=100, sampling=Sampling(json_schema=SUNNY))
    assert (await desk.finished(request_id)).reason is DoneReason.STOP
    answer = heard(desk, request_id)
    if answer.tool_calls:
        assert answer.text == ""
        assert answer.tool_calls[0].name in ("forecast", "clock")
    else:
        assert isinstance(json.loads(answer.text)["sunny"], bool)
