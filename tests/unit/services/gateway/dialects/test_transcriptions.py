"""A form with a recording becomes a chat with a model that hears."""

import json

import pytest

from services.gateway.dialects.transcriptions import TranscriptionReply, parse_transcription
from services.gateway.reply import Answer, Outcome
from shared.errors import ParameterInvalid
from shared.generation import DoneReason, Piece, Usage

OUTCOME = Outcome(reason=DoneReason.STOP, usage=Usage(prompt_tokens=40, generated_tokens=2), total_ns=1, load_ns=0)
USAGE = {"type": "tokens", "input_tokens": 40, "output_tokens": 2, "total_tokens": 42}


def test_the_recording_goes_with_the_user_and_the_hints_with_the_instruction() -> None:
    call = parse_transcription({"model": "ears", "language": "de", "prompt": "Names: Ann."}, b"RIFF")
    system, user = call.conversation.messages
    assert user.images == (b"RIFF",)
    assert system.content.endswith("The language is de. Names: Ann.")
    assert call.options == {"temperature": 0.0}
    assert not call.stream
    assert parse_transcription({"model": "ears", "stream": "true", "response_format": "text"}, b"x").stream


@pytest.mark.parametrize(
    ("fields", "audio", "text"),
    [
        ({}, b"x", "model is required"),
        ({"model": "m"}, None, "file is required: http: no such file"),
        ({"model": "m"}, b"", "audio file is empty"),
        ({"model": "m", "temperature": "hot"}, b"x", "temperature must be a number from 0 to 1"),
        ({"model": "m", "temperature": "nan"}, b"x", "temperature must be a number from 0 to 1"),
        ({"model": "m", "include[]": "logprobs"}, b"x", "this server does not support include[]"),
        (
            {"model": "m", "response_format": "srt"},
            b"x",
            'response_format "srt" is not supported: json and text are, times are not known',
        ),
    ],
)
def test_what_cannot_be_served_is_refused(fields: dict[str, str], audio: bytes | None, text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parse_transcription(fields, audio)
    assert refused.value.message == text


def test_a_whole_reply_is_json_or_the_bare_words() -> None:
    answers = [Answer(pieces=(Piece(" Good morning.", thinking="hm"),), outcome=OUTCOME)]
    assert json.loads(TranscriptionReply(as_text=False).whole(answers)) == {"text": "Good morning.", "usage": USAGE}
    assert TranscriptionReply(as_text=True).whole(answers) == b"Good morning."


def test_a_stream_tells_the_words_and_then_all_of_them() -> None:
    reply = TranscriptionReply(as_text=False)
    body = reply.delta(Piece(thinking="hm")) + reply.delta(Piece("Good ")) + reply.delta(Piece("morning."))
    *events, last = (body + reply.end(OUTCOME)).decode().strip().split("\n\n")
    assert last == "data: [DONE]"
    assert [json.loads(event.removeprefix("data: ")) for event in events] == [
        {"type": "transcript.text.delta", "delta": "Good "},
        {"type": "transcript.text.delta", "delta": "morning."},
        {"type": "transcript.text.done", "text": "Good morning.", "usage": USAGE},
    ]
