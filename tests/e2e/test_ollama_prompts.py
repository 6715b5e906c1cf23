"""What Ollama's API makes of a request, seen in the prompt that the whole cluster writes for a real model."""

from collections.abc import Iterator
from typing import Any

import httpx
import ollama
import pytest

from harness.cluster import MODEL, Cluster

ADD: dict[str, Any] = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"b": {"type": "integer"}}}},
}
CALLED: dict[str, Any] = {
    "role": "assistant",
    "thinking": "An addition.",
    "tool_calls": [{"function": {"name": "add", "arguments": {"b": 2, "a": 1}}}],
}
TEMPLATE = """{{ if .Suffix }}<pre>{{ .Prompt }}<suf>{{ .Suffix }}<mid>{{ else }}{{ .ThinkLevel }}
{{- range .Tools }}[{{ .Function.Name }}]{{ end }}
{{- range .Messages }}<{{ .Role }}>{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}
{{- range .ToolCalls }}{{ .Function.Name }}{{ .Function.Arguments }}{{ end }}
{{- if .ToolName }}={{ .ToolName }}{{ end }}{{ end }}{{ end }}"""


@pytest.fixture
def able(cluster: Cluster) -> Iterator[str]:
    """A variant of the bundled model whose template has a place for everything."""
    client = ollama.Client(host=cluster.url)
    client.create("able", from_=MODEL, template=TEMPLATE)
    yield "able"
    client.delete("able")
    client.close()  # type: ignore[no-untyped-call]


def prompt_of(http: httpx.Client, route: str, **fields: Any) -> str:
    reply = http.post(f"/api/{route}", json={"_debug_render_only": True, **fields})
    assert reply.status_code == 200, reply.text
    text: str = reply.json()["_debug_info"]["rendered_template"]
    return text


def test_the_models_own_template_writes_a_prompt_that_can_be_looked_at(http: httpx.Client) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert prompt_of(http, "chat", model=MODEL, messages=messages) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_tools_calls_results_and_thoughts_reach_the_model(http: httpx.Client, able: str) -> None:
    asked = {"role": "user", "content": "1+2?"}
    answered = {"role": "tool", "content": "3", "tool_name": "add"}
    text = prompt_of(http, "chat", model=able, messages=[asked, CALLED, answered], tools=[ADD], think="low")
    assert text == 'low[add]<user>1+2?<assistant><think>An addition.</think>add{"a":1,"b":2}<tool>3=add'


def test_a_gap_is_filled_between_what_stands_around_it(http: httpx.Client, able: str) -> None:
    asked = {"model": able, "prompt": "def f(", "suffix": "return 1", "think": False}
    assert prompt_of(http, "generate", **asked) == "<pre>def f(<suf>return 1<mid>"
    reply = http.post("/api/generate", json={**asked, "stream": False, "options": {"num_predict": 5}})
    assert reply.json()["eval_count"] >= 1
