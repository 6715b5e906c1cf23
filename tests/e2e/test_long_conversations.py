"""Conversations longer than their context, with a real model: what is lost is told, and what can be kept is."""

import httpx
import openai
import pytest

from harness.cluster import CONTEXT_TOKENS, MODEL, Cluster

GREEDY = {"temperature": 0}
LONG = "The sea is wide and deep. " * CONTEXT_TOKENS


def test_a_generation_goes_on_beyond_its_context_and_tells_so(http: httpx.Client) -> None:
    asked = {
        "model": MODEL, "prompt": "1, 2, 3, 4, 5, 6,", "raw": True, "stream": False,
        "options": {**GREEDY, "num_ctx": 64, "num_predict": 150},
    }  # fmt: skip
    shifted = http.post("/api/generate", json=asked).json()
    assert shifted["eval_count"] == 150
    assert shifted["shifted_tokens_count"] > 150 - 64
    numbers = [int(number) for number in shifted["response"].split(",")[:-1]]
    assert numbers == list(range(7, 7 + len(numbers)))
    cut = http.post("/api/generate", json={**asked, "shift": False}).json()
    assert cut["done_reason"] == "length"
    assert cut["eval_count"] + cut["prompt_eval_count"] == 64
    assert "shifted_tokens_count" not in cut


def test_a_prompt_that_is_too_long_loses_its_middle_natively_and_is_refused_where_that_was_not_asked_for(
    cluster: Cluster, http: httpx.Client
) -> None:
    turns = [{"role": "user", "content": LONG}]
    asked = {"model": MODEL, "messages": turns, "stream": False, "options": {**GREEDY, "num_predict": 4}}
    response = http.post("/api/chat", json=asked)
    lost = response.json()["dropped_tokens_count"]
    assert lost > CONTEXT_TOKENS
    assert response.headers["X-Corral-Truncated"] == f"tokens={lost}"
    refused = http.post("/api/chat", json={**asked, "truncate": False})
    assert refused.status_code == 400
    assert f"{CONTEXT_TOKENS} available" in refused.json()["error"]
    with (
        openai.OpenAI(base_url=f"{cluster.url}/v1", api_key="unused", max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as failed,
    ):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": LONG}])
    assert failed.value.code == "context_length_exceeded"


def test_a_key_that_summarizes_answers_a_long_chat_from_a_summary(http: httpx.Client) -> None:
    key = http.post("/api/keys", json={"name": "reader", "role": "user", "summarize": True}).json()["key"]
    story = "Ada the sailor has a red boat and a dog called Rex. She sails from Oslo to Rome. " * 2
    turns = [
        {"role": role, "content": f"{story}Part {number}."} for number in range(6) for role in ("user", "assistant")
    ]
    asked = {
        "model": MODEL, "messages": [*turns, {"role": "user", "content": "What is the dog called?"}], "stream": False,
        "options": {**GREEDY, "num_ctx": 512, "num_predict": 16},
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {key}"}
    first = http.post("/api/chat", json=asked, headers=headers)
    count = first.json()["summarized_messages_count"]
    assert 0 < count < len(turns)
    assert first.headers["X-Corral-Truncated"] == f"summarized={count}"
    assert first.json()["prompt_eval_count"] < 0.8 * 512
    again = http.post("/api/chat", json=asked, headers=headers)
    assert again.json()["message"]["content"] == first.json()["message"]["content"]
    assert again.json()["total_duration"] < first.json()["total_duration"]
