"""Reading what a message of OpenAI's holds."""

import base64

import pytest

from services.gateway.dialects.openai_content import Content, image_bytes, read_content
from shared.errors import ParameterInvalid

PNG = b"\x89PNG\r\n\x1a\nrest"
PNG_BASE64 = base64.b64encode(PNG).decode()


def test_a_text_is_itself() -> None:
    assert read_content(" a\n") == Content(text=" a\n")


def test_the_texts_of_a_list_become_one_as_ollamas_templates_join_messages() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": ""}, {"type": "refusal", "refusal": "b"}]
    assert read_content(parts) == Content(text="a\n\nb")
    assert read_content([]) == Content()


def test_pictures_and_sounds_keep_their_order_and_say_what_they_are() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG_BASE64}", "detail": "low"}},
        {"type": "text", "text": "a"},
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(b"RIFF").decode(), "format": "wav"}},
    ]
    assert read_content(parts) == Content(text="a", files=(PNG, b"RIFF"), has_images=True, has_sound=True)


@pytest.mark.parametrize(
    "head", ["data:image/jpeg;base64,", "data:image/jpg;base64,", "data:image/webp;base64,", "data:;base64,"]
)
def test_every_kind_of_picture_ollama_takes_is_taken(head: str) -> None:
    assert image_bytes(head + PNG_BASE64) == PNG


def test_line_ends_in_base64_do_not_matter() -> None:
    assert image_bytes(f"data:;base64,{PNG_BASE64[:4]}\r\n{PNG_BASE64[4:]}\n") == PNG


def test_a_picture_may_be_its_bare_address() -> None:
    parts = [{"type": "image_url", "image_url": f"data:;base64,{PNG_BASE64}"}]
    assert read_content(parts).files == (PNG,)


NO_URL = "image URLs are not currently supported, please use base64 encoded data instead"


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ({"type": "image_url", "image_url": {"url": "http://h/a.png"}}, NO_URL),
        ({"type": "image_url", "image_url": "https://h/a.png"}, NO_URL),
        ({"type": "image_url", "image_url": f"data:image/gif;base64,{PNG_BASE64}"}, "invalid image input"),
        ({"type": "image_url", "image_url": PNG_BASE64}, "invalid image input"),
        ({"type": "image_url", "image_url": "data:image/png;base64,"}, "invalid image input"),
        ({"type": "image_url", "image_url": "data:image/png;base64,!!!!"}, "invalid image input"),
        ({"type": "image_url", "image_url": "data:image/png;base64,é"}, "invalid image input"),
        ({"type": "image_url"}, "invalid image input"),
        ({"type": "input_audio"}, "invalid input_audio format"),
        ({"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}}, "invalid input_audio format"),
        ({"type": "file", "file": {"file_id": "f"}}, "file inputs are not currently supported"),
        ({"type": "video"}, "invalid message format"),
        ({"type": "text"}, "invalid message format"),
        ("a", "invalid message format"),
    ],
)
def test_a_part_that_cannot_be_read_says_so_in_ollamas_words(part: object, error: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        read_content([part])
    assert refused.value.message == error


@pytest.mark.parametrize(
    ("content", "go_type"), [(None, "<nil>"), (1, "float64"), (True, "bool"), ({}, "map[string]interface {}")]
)
def test_content_of_another_kind_is_named_as_go_names_it(content: object, go_type: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        read_content(content)
    assert refused.value.message == f"invalid message content type: {go_type}"
