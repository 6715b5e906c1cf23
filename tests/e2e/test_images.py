"""Pictures through the whole cluster, as the official clients send them, looked at by a tiny model with random weights.

What it says is noise, but decided by what it is shown.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pytest

from fakes.llama_models import write_llama
from fakes.pictures import png, write_eyes
from harness.cluster import MODEL

EYES = "eyes"
TEMPLATE = "{{ range .Messages }}{{ .Content }}{{ end }} Say:"
QUESTION = "what is it?"
ONE, OTHER = png(1), png(2)
GREEDY = {"temperature": 0, "num_predict": 8}


@pytest.fixture
def eyes(client: ollama.Client, tmp_path: Path) -> Iterator[str]:
    """A model built from two files: weights and a projector."""
    files = {
        path.name: client.create_blob(path)
        for path in (write_llama(tmp_path / "model.gguf"), write_eyes(tmp_path / "mmproj.gguf"))
    }
    client.create(EYES, files=files, template=TEMPLATE)
    yield EYES
    client.delete(EYES)


def looked(client: ollama.Client, image: bytes) -> ollama.ChatResponse:
    message = {"role": "user", "content": QUESTION, "images": [image]}
    return client.chat(EYES, messages=[message], options=GREEDY)


async def test_every_dialect_shows_the_model_the_same_picture(
    client: ollama.Client, sdk: openai.AsyncOpenAI, claude: anthropic.AsyncAnthropic, eyes: str
) -> None:
    assert client.show(eyes).capabilities == ["completion", "vision"]
    chatted = looked(client, ONE)
    expected = chatted.message.content
    assert expected != looked(client, OTHER).message.content
    assert client.generate(eyes, QUESTION, images=[ONE], options=GREEDY).response == expected
    encoded = base64.b64encode(ONE).decode()
    part: Any = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}
    content: Any = [part, {"type": "text", "text": QUESTION}]
    completion = await sdk.chat.completions.create(
        model=eyes, messages=[{"role": "user", "content": content}], temperature=0, max_tokens=8
    )
    assert completion.choices[0].message.content == expected
    block: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": encoded}}
    message = await claude.messages.create(
        model=eyes,
        max_tokens=8,
        extra_body={"temperature": 0},
        messages=[{"role": "user", "content": [block, {"type": "text", "text": QUESTION}]}],
    )
    (text,) = message.content
    assert text.type == "text"
    assert text.text == expected


def test_a_picture_that_cannot_be_read_is_the_clients_error(client: ollama.Client, eyes: str) -> None:
    with pytest.raises(ollama.ResponseError, match="image 1 cannot be read: it is damaged") as caught:
        looked(client, ONE[:60])
    assert caught.value.status_code == 400
    assert looked(client, ONE).message.content


def test_a_model_without_a_projector_is_not_shown_any(client: ollama.Client) -> None:
    message = {"role": "user", "content": QUESTION, "images": [ONE]}
    with pytest.raises(ollama.ResponseError, match="does not support images") as caught:
        client.chat(MODEL, messages=[message])
    assert caught.value.status_code == 400
