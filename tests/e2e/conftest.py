"""Fixtures for tests of the whole cluster."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anthropic
import httpx
import ollama
import openai
import pytest

from harness.cluster import CONTEXT_TOKENS, MODEL, SLOTS_COUNT, Cluster, start_cluster

TOOL_TEMPLATE = """{{- if .Suffix }}{{ .Prompt }}<gap>{{ .Suffix }}{{ else }}
{{- if .Tools }}<|im_start|>system
You may call these functions: {{ .Tools }}<|im_end|>
{{ end }}
{{- range .Messages }}<|im_start|>{{ .Role }}
{{ if .Content }}{{ .Content }}{{ else if .ToolCalls }}<tool_call>
{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}{{ end }}
</tool_call>{{ end }}<|im_end|>
{{ end }}<|im_start|>assistant
{{ end }}"""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="corral-e2e-") as folder:
        running = start_cluster(
            Path(folder), CORRAL_NUM_PARALLEL=str(SLOTS_COUNT), CORRAL_CONTEXT_TOKENS=str(CONTEXT_TOKENS)
        )
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def http(cluster: Cluster) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cluster.url, timeout=60) as client:
        yield client


@pytest.fixture
def client(cluster: Cluster) -> Iterator[ollama.Client]:
    made = ollama.Client(host=cluster.url)
    yield made
    made.close()  # type: ignore[no-untyped-call]


@pytest.fixture
async def sdk(cluster: Cluster) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{cluster.url}/v1", api_key="unused", max_retries=0) as made:
        yield made


@pytest.fixture
async def claude(cluster: Cluster) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=cluster.url, api_key="unused", max_retries=0) as made:
        yield made


@pytest.fixture
def caller(client: ollama.Client) -> Iterator[str]:
    """The bundled model with a template that shows tools and gaps; its own shows neither."""
    client.create("caller", from_=MODEL, template=TOOL_TEMPLATE)
    yield "caller"
    client.delete("caller")
