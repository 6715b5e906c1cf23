"""What the engine relies on where prompts hold images, asked of the fake backend and of llama.cpp alike.

llama.cpp opens a tiny model and a tiny projector with random weights: what they say is noise, but decided by all they
are shown.
"""

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from llama_cpp import mtmd_cpp

from fakes import pictures
from fakes.backend import FakeBackend
from fakes.engine_runs import new_engine, new_sequence, run_one, run_until_idle
from fakes.llama_models import write_llama
from services.worker.engine.backend import Backend, Run
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
ONE, OTHER = pictures.png(1), pictures.png(2)
QUESTION = "look: <__media__> what is it?"
TWO_QUESTIONS = "one <__media__> and <__media__>?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eyes")
    write_llama(folder / "model.gguf")
    pictures.write_eyes(folder / "eyes.gguf")
    write_llama(folder / "mrope-model.gguf", architecture="qwen2vl")
    pictures.write_eyes(folder / "mrope-eyes.gguf", kind="qwen2vl_merger")
    return folder


def opened(folder: Path, kind: str = "", *, sees: bool = True) -> LlamaBackend:
    return LlamaBackend(
        LlamaParams(
            path=str(folder / f"{kind}model.gguf"),
            projector=str(folder / f"{kind}eyes.gguf") if sees else None,
            n_ctx_seq=CONTEXT_TOKENS,
            n_seq_max=SLOTS_COUNT,
            n_batch=BATCH_TOKENS_MAX,
            n_threads=1,
            n_gpu_layers=0,
        )
    )


@pytest.fixture(scope="module")
def llama(folder: Path) -> Iterator[LlamaBackend]:
    backend = opened(folder)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def mrope(folder: Path) -> Iterator[LlamaBackend]:
    """A model behind whose images the positions move on by less than their tokens."""
    backend = opened(folder, "mrope-")
    yield backend
    backend.close()


@pytest.fixture(params=["fake", "llama", "mrope"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """A backend with eyes whose slots are empty."""
    if request.param == "fake":
        return FakeBackend(
            slots_count=SLOTS_COUNT, context_tokens=CONTEXT_TOKENS, batch_tokens_max=BATCH_TOKENS_MAX
        )  # fmt: skip
    llama: LlamaBackend = request.getfixturevalue(request.param)
    return emptied(llama)


def emptied(backend: Backend) -> Backend:
    for slot in range(backend.slots_count):
        assert backend.truncate(slot, 0)
    return backend


def read(backend: Backend, text: str, *images: bytes, owner: str = "ann") -> Sequence[Part]:
    return backend.read_images(text, images, add_special=True, owner=owner).result(WAIT_S)


def seeing(
    sequence_id: int, text: str, *images: bytes, options: Options = GREEDY, tenant: str = "ann"
) -> NewSequence:  # fmt: skip
    return NewSequence(sequence_id=sequence_id, prompt=text, images=images, tenant=tenant, options=options)


def reply(backend: Backend, text: str, *images: bytes) -> list[int]:
    """What the model says to this in an empty memory."""
    outcome = run_one(new_engine(emptied(backend), batch_tokens_max=BATCH_TOKENS_MAX), seeing(1, text, *images))
    assert outcome.finished is not None, outcome.failed
    return outcome.token_ids


def media_of(parts: Sequence[Part]) -> list[Media]:
    return [part for part in parts if isinstance(part, Media)]


def test_a_prompt_becomes_the_tokens_of_its_text_with_an_image_where_its_marker_is(backend: Backend) -> None:
    tokens, media = joined(read(backend, QUESTION, ONE))
    before = backend.vocabulary.tokenize("look: ", add_special=True)
    ((begin, shown),) = media.items()
    assert tokens[: len(before)] == before
    assert tokens[begin : begin + len(shown.tokens)] == list(shown.tokens)
    assert all(token < 0 for token in shown.tokens)
    assert all(token >= 0 for token in (*tokens[:begin], *tokens[begin + len(shown.tokens) :]))
    after = b"".join(map(backend.vocabulary.piece, tokens[begin + len(shown.tokens) :]))
    assert after.decode().endswith(" what is it?")


def test_the_same_image_has_the_same_tokens_and_another_has_others(backend: Backend) -> None:
    (first,), (again,) = (media_of(read(backend, text, ONE)) for text in (QUESTION, "<__media__> again"))
    (other,) = media_of(read(backend, QUESTION, OTHER))
    assert list(first.tokens) == list(again.tokens)
    assert not set(first.tokens) & set(other.tokens)


def test_one_tenants_images_are_not_known_to_another(backend: Backend) -> None:
    (mine,) = media_of(read(backend, QUESTION, ONE, owner="ann"))
    (theirs,) = media_of(read(backend, QUESTION, ONE, owner="bob"))
    assert not set(mine.tokens) & set(theirs.tokens)


def test_the_answer_depends_on_the_image_and_on_nothing_else(backend: Backend) -> None:
    assert reply(backend, QUESTION, ONE) == reply(backend, QUESTION, ONE)
    assert reply(backend, QUESTION, ONE) != reply(backend, QUESTION, OTHER)


def test_the_answer_depends_on_the_order_of_images(backend: Backend) -> None:
    assert reply(backend, TWO_QUESTIONS, ONE, OTHER) != reply(backend, TWO_QUESTIONS, OTHER, ONE)


def test_a_second_question_about_an_image_reuses_it_and_gets_the_same_answer(backend: Backend) -> None:
    question = "look: <__media__> what else is there?"
    expected = reply(backend, question, ONE)
    engine = new_engine(emptied(backend), batch_tokens_max=BATCH_TOKENS_MAX)
    run_one(engine, seeing(1, QUESTION, ONE))
    outcome = run_one(engine, seeing(2, question, ONE))
    assert outcome.finished is not None
    shown = media_of(read(backend, QUESTION, ONE))[0]
    assert outcome.finished.usage.cached_tokens > len(shown.tokens)
    assert outcome.token_ids == expected


def test_a_copy_of_a_slot_holds_the_images_too(backend: Backend) -> None:
    text = "a long beginning that pays for a copy: <__media__> what is it?"
    expected = reply(backend, text, ONE)
    engine = new_engine(emptied(backend), batch_tokens_max=BATCH_TOKENS_MAX)
    run_one(engine, seeing(1, text, ONE))
    engine.submit(seeing(2, text, ONE))
    engine.submit(seeing(3, text, ONE))
    outcomes = run_until_idle(engine)
    assert [outcomes[number].token_ids for number in (2, 3)] == [expected, expected]
    assert all((end := outcomes[number].finished) and end.usage.cached_tokens > 0 for number in (2, 3))


def test_another_image_at_the_same_place_is_computed_anew(backend: Backend) -> None:
    expected = reply(backend, QUESTION, OTHER)
    engine = new_engine(emptied(backend), batch_tokens_max=BATCH_TOKENS_MAX)
    for number in range(SLOTS_COUNT):
        engine.submit(seeing(number, QUESTION, ONE))
    run_until_idle(engine)
    outcome = run_one(engine, seeing(9, QUESTION, OTHER))
    assert outcome.token_ids == expected
    assert outcome.finished is not None
    _, media = joined(read(backend, QUESTION, OTHER))
    assert 0 < outcome.finished.usage.cached_tokens <= min(media)


def test_images_leave_everybody_elses_answers_as_they_are(backend: Backend) -> None:
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
    engine.submit(seeing(9, TWO_QUESTIONS, ONE, OTHER))
    together = run_until_idle(engine)
    assert [together[number].token_ids for number in range(len(texts))] == alone
    assert together[9].token_ids == expected


def first_token(backend: Backend, text: str) -> int:
    """What the model says first to a text that is read in two parts, in the first slot, which is empty."""
    tokens = backend.vocabulary.tokenize(text, add_special=True)
    backend.decode([Run(0, 0, tokens[:30], False)])
    backend.decode([Run(0, 30, tokens[30:], True)])
    sampler = backend.sampler(GREEDY, tokens)
    drawn = sampler.sample(len(tokens) - 31)
    sampler.close()
    return drawn


def test_a_picture_is_encoded_once_however_often_it_is_shown(llama: LlamaBackend) -> None:
    emptied(llama)
    projector = llama._projector
    assert projector is not None
    picture = pictures.png(3)
    (shown,), (again,) = (media_of(read(llama, text, picture)) for text in (QUESTION, "<__media__> again"))
    assert projector._embeddings.get(shown.key) is None
    llama.decode_media(0, 0, shown)
    kept = projector._embeddings.get(again.key)
    assert kept is not None
    llama.decode_media(1, 0, again)
    assert projector._embeddings.get(shown.key) is kept


def test_growing_forgets_the_images_and_changes_no_answer(folder: Path) -> None:
    fake = FakeBackend(slots_count=2, context_tokens=200, batch_tokens_max=64)
    llamas = [opened(folder), opened(folder, "mrope-")]
    backends: list[Backend] = [fake, *llamas]
    for backend in backends:
        expected = reply(backend, QUESTION, ONE)
        text = first_token(emptied(backend), "a text that is longer than what stood before the image")
        reply(backend, QUESTION, ONE)
        backend.grow(250)
        assert first_token(backend, "a text that is longer than what stood before the image") == text
        assert reply(backend, QUESTION, ONE) == expected
    for llama in llamas:
        llama.close()


@pytest.mark.parametrize("kind", ["llama", "mrope"])
def test_the_logits_behind_images_are_those_of_llama_cpps_own_way(request: pytest.FixtureRequest, kind: str) -> None:
    backend: LlamaBackend = request.getfixturevalue(kind)
    emptied(backend)
    projector = backend._projector
    assert projector is not None
    parts = projector.read(TWO_QUESTIONS, [ONE, OTHER], front=(), owner="ann").result(WAIT_S)
    for slot in (0, 1):
        tokens_count = 0
        for part in parts:
            if isinstance(part, Media):
                backend.decode_media(slot, tokens_count, part)
                tokens_count += len(part.tokens)
            else:
                backend.decode([Run(slot, tokens_count, part, True)])
                tokens_count += len(part)
    last = parts[-1]
    assert not isinstance(last, Media)
    ours = logits_of(backend._ctx, len(last) - 1, backend.vocabulary.tokens_count).copy()
    emptied(backend)
    shown = media_of(parts)[0]
    assert isinstance(shown, LlamaMedia)
    end = llama_cpp.llama_pos(0)
    chunks = shown.chunks.pointer
    assert mtmd_cpp.mtmd_helper_eval_chunks(
        projector._ctx, backend._ctx, chunks, 0, 2, BATCH_TOKENS_MAX, True, ctypes.pointer(end)
    ) == 0  # fmt: skip
    theirs = logits_of(backend._ctx, len(last) - 1, backend.vocabulary.tokens_count)
    assert np.array_equal(ours, theirs)
    less = sum(len(part.tokens) - part.n_pos for part in parts if isinstance(part, LlamaMedia))
    assert end.value == len(joined(parts)[0]) - less
    assert (less > 0) == (kind == "mrope")


def test_a_slot_that_holds_an_image_does_not_shift(backend: Backend) -> None:
    run_one(new_engine(backend, batch_tokens_max=BATCH_TOKENS_MAX), seeing(1, QUESTION, ONE))
    assert not any(backend.shift(slot, 1, 2) for slot in range(1))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "not a PNG"),
        (b"GIF89a", "ends too early"),
        (ONE[:40], "damaged"),
        (ONE[:20], "ends too early"),
        (b"\xff\xd8\xff\xe0", "ends too early"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "ends too early"),
        (pictures.webp(1)[:-9], "damaged"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(64), "not a PNG"),
        (pictures.claiming(100_000, 100_000), "pixels"),
    ],
)
def test_what_is_no_picture_is_refused_in_clear_words(llama: LlamaBackend, image: bytes, reason: str) -> None:
    with pytest.raises(CorralError, match=f"image 2 cannot be read: .*{reason}") as caught:
        read(llama, TWO_QUESTIONS, ONE, image)
    assert caught.value.code == "parameter_invalid"


def test_a_webp_shows_what_the_same_picture_shows_as_png(llama: LlamaBackend) -> None:
    same = reply(llama, QUESTION, ONE)
    assert reply(llama, QUESTION, pictures.webp(1, lossless=True)) == same
    assert reply(llama, QUESTION, pictures.webp(1, 2, lossless=True)) == same  # an animation is its first frame
    assert reply(llama, QUESTION, pictures.webp(2, lossless=True)) != same


def test_markers_and_images_must_be_as_many(llama: LlamaBackend) -> None:
    for text in (QUESTION, "nothing to look at"):
        with pytest.raises(CorralError, match=r"the prompt has 2 images and \d places for them") as caught:
            read(llama, text, ONE, OTHER)
        assert caught.value.code == "parameter_invalid"


def test_a_model_without_a_projector_says_that_it_cannot_see(folder: Path) -> None:
    blind = opened(folder, sees=False)
    with pytest.raises(CapabilityMissing):
        blind.read_images(QUESTION, [ONE], add_special=True, owner="ann")
    blind.close()
