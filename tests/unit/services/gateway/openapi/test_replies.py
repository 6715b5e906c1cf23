"""The declared replies, and the one form among the bodies, against what writes and reads them."""

import msgspec

from services.gateway.dialects.transcriptions import parse_transcription
from services.gateway.openapi.bodies.openai import OpenAiTranscriptionForm
from services.gateway.openapi.replies.losses import Losses
from services.gateway.reply import Outcome
from shared.generation import DoneReason, Usage


def test_every_loss_of_an_answer_is_declared_and_no_other() -> None:
    fields = {field.name for field in msgspec.structs.fields(Losses)}
    counts = dict.fromkeys(fields, 1)
    lossy = Outcome(reason=DoneReason.STOP, usage=Usage(), total_ns=1, load_ns=1, **counts)  # type: ignore[arg-type]
    assert lossy.losses() == counts


class Form(dict[str, str]):
    """Fields of a form, which notes those that are asked for."""

    def __init__(self, **fields: str) -> None:
        super().__init__(fields)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)


def test_the_form_of_a_transcription_is_read_as_it_is_declared() -> None:
    refused = {"chunking_strategy", "include[]", "timestamp_granularities[]", "known_speaker_names[]"}
    form = Form(model="m")
    parse_transcription(form, b"sound")
    declared = {field.name for field in msgspec.structs.fields(OpenAiTranscriptionForm)}
    assert form.asked - refused == declared - {"file"}
