"""What the engine relies on where prompts hold sound, asked of llama.cpp with a tiny model and a tiny projector.

Their weights are random: what they say is noise, but decided by all they hear.
"""

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from llama_cpp import mtmd_cpp

from fakes import pictures, sounds
from fakes.engine_runs import new_engine, new_sequence, run_one, run_until_idle
from fakes.llama_models import write_llama
from services.worker.engine.backend import Run
from services.worker.engine.media import Media, Part, joined
from services.worker.engine.sequence import NewSequence
from services.worker.llama.model import LlamaBackend
from services.worker.llama.params import LlamaParams
from services.worker.llama.projector import LlamaMedia
from services.worker.llama.sampler import logits_of
from shared.errors import CapabilityMissing, CorralError
from shared.options import Options

CONTEXT_TOKENS = 200
SLOTS_COUNT = 4
BATCH_TOKENS_MAX = 64
WAIT_S = 30.0
GREEDY = Options(temperature=0, num_predict=12)
ONE, OTHER = sounds.wav(1, seconds=25), sounds.wav(2, seconds=25)
LONG = sounds.wav(3, seconds=31)
QUESTION = "listen: <__media__> what is it?"
TWO_QUESTIONS = "one <__media__> and <__media__>?"


def opened(folder: Path, projector: str) -> LlamaBackend:
    return LlamaBackend(
        LlamaParams(
            path=str(folder / "model.gguf"),
            projector=str(folder / projector),
            n_ctx_seq=CONTEXT_TOKENS,
            n_seq_max=SLOTS_COUNT,
            n_batch=BATCH_TOKENS_MAX,
            n_threads=1,
            n_gpu_layers=0,
        )
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ears")
    write_llama(folder / "model.gguf")
    sounds.write_ears(folder / "ears.gguf")
    pictures.write_eyes(folder / "eyes.gguf")
    return folder


@pytest.fixture(scope="module")
def shared_backend(folder: Path) -> Iterator[LlamaBackend]:
    backend = opened(folder, "ears.gguf")
    yield backend
    backend.close()


@pytest.fixture
def backend(shared_backend: LlamaBackend) -> LlamaBackend:
    """A backend with ears whose slots are empty."""
    return emptied(shared_backend)


def emptied(backend: LlamaBackend) -> LlamaBackend:
    for slot in range(backend.slots_count):
        assert backend.truncate(slot, 0)
    return backend


def read(backend: LlamaBackend, text: str, *files: bytes) -> Sequence[Part]:
    return backend.read_images(text, files, add_special=True, owner="ann").result(WAIT_S)


def media_of(parts: Sequence[Part]) -> list[Media]:
    return [part for part in parts if isinstance(part, Media)]


def hearing(sequence_id: int, text: str, *files: bytes) -> NewSequence:
    return NewSequence(sequence_id=sequence_id, prompt=text, images=files, tenant="ann", options=GREEDY)


def reply(backend: LlamaBackend, text: str, *files: bytes) -> list[int]:
    """What the model says to this in an empty memory."""
    outcome = run_one(new_engine(emptied(backend), batch_tokens_max=BATCH_TOKENS_MAX), hearing(1, text, *files))
    assert outcome.finished is not None, outcome.failed
    return outcome.token_ids


@pytest.mark.parametrize("file", [ONE, sounds.mp3(), sounds.flac(), sounds.wav(1, rate_hz=44_100)])
def test_every_format_becomes_tokens_where_its_marker_is(backend: LlamaBackend, file: bytes) -> None:
    tokens, media = joined(read(backend, QUESTION, file))
    before = backend.vocabulary.tokenize("listen: ", add_special=True)
    ((begin, heard),) = media.items()
    assert tokens[: len(before)] == before
    assert tokens[begin : begin + len(heard.tokens)] == list(heard.tokens)
    assert len(heard.tokens) == sounds.SOUND_TOKENS


def test_a_long_sound_is_several_parts_that_differ(backend: LlamaBackend) -> None:
    first, second = media_of(read(backend, QUESTION, LONG))
    assert not set(first.tokens) & set(second.tokens)


def test_the_answer_depends_on_the_sound_and_on_nothing_else(backend: LlamaBackend) -> None:
    assert reply(backend, QUESTION, ONE) == reply(backend, QUESTION, ONE)
    assert reply(backend, QUESTION, ONE) != reply(backend, QUESTION, OTHER)
    assert reply(backend, TWO_QUESTIONS, ONE, OTHER) != reply(backend, TWO_QUESTIONS, OTHER, ONE)


def test_a_second_question_about_a_sound_reuses_it_and_gets_the_same_answer(backend: LlamaBackend) -> None:
    question = "listen: <__media__> what else is there?"
    expected = reply(backend, question, ONE)
    engine = new_engine(emptied(backend), batch_tokens_max=BATCH_TOKENS_MAX)
    run_one(engine, hearing(1, QUESTION, ONE))
    outcome = run_one(engine, hearing(2, question, ONE))
    assert outcome.finished is not None
    assert outcome.finished.usage.cached_tokens > sounds.SOUND_TOKENS
    assert outcome.token_ids == expected


def test_sounds_leave_everybody_elses_answers_as_they_are(backend: LlamaBackend) -> None:
    texts = ("tell me of the sea", "and of rivers, please, all of them")
    options = Options(temperature=0, num_predict=24, reproducible=True)
    alone = []
    for number, text in enumerate(texts):
        engine = new_engine(emptied(backend), batch_tokens_max=BATCH_TOKENS_MAX)
        alone.append(run_one(engine, new_sequence(number, text, options=options)).token_ids)
    expected = reply(backend, TWO_QUESTIONS, ONE, OTHER)
    engine = new_engine(emptied(backend), batch_tokens_max=BATCH_TOKENS_MAX)
    for number, text in enumerate(texts):
        engine.submit(new_sequence(number, text, options=options))
    engine.submit(hearing(9, TWO_QUESTIONS, ONE, OTHER))
    together = run_until_idle(engine)
    assert [together[number].token_ids for number in range(len(texts))] == alone
    assert together[9].token_ids == expected


@pytest.mark.parametrize("steps_count", [0, 2, 4])
def test_a_listener_that_leaves_is_told_nothing_more_and_changes_no_answer(
    backend: LlamaBackend, steps_count: int
) -> None:
    expected = reply(backend, QUESTION, OTHER)
    engine = new_engine(emptied(backend), batch_tokens_max=BATCH_TOKENS_MAX)
    engine.submit(hearing(1, QUESTION, ONE))
    for _ in range(steps_count):
        engine.step()
    engine.cancel(1)
    for number in range(2, 2 + SLOTS_COUNT):
        engine.submit(hearing(number, QUESTION, OTHER))
    outcomes = run_until_idle(engine)
    assert 1 not in outcomes
    assert [outcomes[number].token_ids for number in range(2, 2 + SLOTS_COUNT)] == [expected] * SLOTS_COUNT


def test_the_logits_behind_sounds_are_those_of_llama_cpps_own_way(backend: LlamaBackend) -> None:
    projector = backend._projector
    assert projector is not None
    parts = projector.read(TWO_QUESTIONS, [LONG, ONE], front=(), owner="ann").result(WAIT_S)
    tokens_count = 0
    for part in parts:
        if isinstance(part, Media):
            backend.decode_media(0, tokens_count, part)
            tokens_count += len(part.tokens)
        else:
            backend.decode([Run(0, tokens_count, part, True)])
            tokens_count += len(part)
    last = parts[-1]
    assert not isinstance(last, Media)
    ours = logits_of(backend._ctx, len(last) - 1, backend.vocabulary.tokens_count).copy()
    emptied(backend)
    heard = media_of(parts)[0]
    assert isinstance(heard, LlamaMedia)
    end = llama_cpp.llama_pos(0)
    assert mtmd_cpp.mtmd_helper_eval_chunks(
        projector._ctx, backend._ctx, heard.chunks.pointer, 0, 2, BATCH_TOKENS_MAX, True, ctypes.pointer(end)
    ) == 0  # fmt: skip
    theirs = logits_of(backend._ctx, len(last) - 1, backend.vocabulary.tokens_count)
    assert np.array_equal(ours, theirs)
    assert end.value == tokens_count
    backend.truncate(2, 0)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "ends too early"),
        (ONE[:44], "it holds no sound"),
        (b"ID3" + bytes(80), "damaged"),
        (b"\xff\xfb\x90\x00" + bytes(40), "damaged"),
        (sounds.flac()[:48], "damaged"),
        (sounds.flac(claimed_count=0), "damaged"),
    ],
)
def test_what_is_no_sound_is_refused_in_clear_words(backend: LlamaBackend, file: bytes, reason: str) -> None:
    with pytest.raises(CorralError, match=f"sound 2 cannot be read: .*({reason})") as caught:
        read(backend, TWO_QUESTIONS, ONE, file)
    assert caught.value.code == "parameter_invalid"


def test_ears_do_not_see_and_eyes_do_not_hear(backend: LlamaBackend, folder: Path) -> None:
    with pytest.raises(CapabilityMissing, match="does not support image input"):
        read(backend, QUESTION, pictures.png())
    eyes = opened(folder, "eyes.gguf")
    with pytest.raises(CapabilityMissing, match="does not support audio input"):
        read(eyes, QUESTION, ONE)
    eyes.close()
