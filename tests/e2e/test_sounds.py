"""Sound through the whole cluster, as the official clients send it, heard by a tiny model with random weights.

What it says is noise, but decided by what it hears.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ollama
import openai
import pytest

from fakes.llama_models import write_llama
from fakes.pictures import png
from fakes.sounds import wav, write_ears

EARS = "ears"
TEMPLATE = "{{ range .Messages }}{{ .Content }}{{ end }} Say:"
QUESTION = "what is it?"
ONE, OTHER = wav(1, seconds=25), wav(2, seconds=25)
GREEDY = {"temperature": 0, "num_predict": 8}


@pytest.fixture
def ears(client: ollama.Client, tmp_path: Path) -> Iterator[str]:
    """A model built from two files: weights and a projector that hears."""
    files = {
        path.name: client.create_blob(path)
        for path in (write_llama(tmp_path / "model.gguf"), write_ears(tmp_path / "mmproj.gguf"))
    }
    client.create(EARS, files=files, template=TEMPLATE)
    yield EARS
    client.delete(EARS)


def heard(client: ollama.Client, sound: bytes) -> str:
    message = {"role": "user", "content": QUESTION, "images": [sound]}
    return client.chat(EARS, messages=[message], options=GREEDY).message.content or ""


async def test_every_dialect_lets_the_model_hear_the_same_sound(
    client: ollama.Client, sdk: openai.AsyncOpenAI, ears: str
) -> None:
    assert "audio" in (client.show(ears).capabilities or [])
    expected = heard(client, ONE)
    assert expected
    assert expected != heard(client, OTHER)
    part: Any = {"type": "input_audio", "input_audio": {"data": base64.b64encode(ONE).decode(), "format": "wav"}}
    content: Any = [part, {"type": "text", "text": QUESTION}]
    completion = await sdk.chat.completions.create(
        model=ears, messages=[{"role": "user", "content": content}], temperature=0, max_tokens=8
    )
    assert completion.choices[0].message.content == expected


async def test_a_recording_is_written_down_from_what_is_heard(sdk: openai.AsyncOpenAI, ears: str) -> None:
    async def written(sound: bytes) -> str:
        made = await sdk.audio.transcriptions.create(model=ears, file=("speech.wav", sound))
        return made.text

    first = await written(ONE)
    assert first == await written(ONE)
    assert first != await written(OTHER)
    with pytest.raises(openai.BadRequestError, match="sound 1 cannot be read"):
        await written(ONE[:44])


def test_a_model_that_only_hears_is_not_shown_a_picture(client: ollama.Client, ears: str) -> None:
    with pytest.raises(ollama.ResponseError, match="does not support image") as caught:
        heard(client, png())
    assert caught.value.status_code == 400
