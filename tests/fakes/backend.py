"""A backend whose "model" is a pure function of a slot's tokens, and whose KV memory refuses every misuse.

An engine that mixes up slots, rows or positions meets an assertion here, or gets another text than `reply_alone`.
"""

import random
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

import msgspec
import numpy as np
import numpy.typing as npt

from services.worker.engine.backend import NO_BIAS, Constraint, ConstraintFailed, DecodeFailed, Run
from services.worker.engine.media import Media, Part, words_of
from shared.errors import ParameterInvalid
from shared.generation import TokenLogprob
from shared.options import Options

BOS = 256
BOS_TEXT = "<bos>"
EOS = 257
FIRST_PIECE = 258
MEDIA_MARKER = "<__media__>"
MEDIA_TOKENS = 6
"""How many tokens every image is."""
BROKEN_IMAGE = b"broken"
LETTERS = tuple(b"abcdefgh ")


class Cell(msgspec.Struct, frozen=True):
    """One place in KV memory. `decoded` cells were drawn in their slot and then computed one by one.

    `moved` ones were computed behind others that have left: no other sequence may ever meet them.
    """

    token: int
    decoded: bool
    moved: bool = False


Scores = Callable[[tuple[Cell, ...]], dict[int, float]]


def hashing_model(*, replies: Sequence[int] = LETTERS, ending_one_in: int = 0) -> Scores:
    """Scores that depend on every token seen; about one token in `ending_one_in` ends the generation."""

    def scores(cells: tuple[Cell, ...]) -> dict[int, float]:
        seen = ",".join(str(cell.token) for cell in cells)
        if ending_one_in and zlib.crc32(seen.encode()) % ending_one_in == 0:
            return {EOS: 1.0}
        return {token: 1 + zlib.crc32(f"{seen}>{token}".encode()) % 1000 for token in replies}

    return scores


def drifting_model(cells: tuple[Cell, ...]) -> dict[int, float]:
    """Like a real model, computing a token as part of a prompt gives it another value than having decoded it."""
    seen = ",".join(f"{cell.token}{'d' * cell.decoded}" for cell in cells)
    return {token: 1 + zlib.crc32(f"{seen}>{token}".encode()) % 1000 for token in LETTERS}


def saying(reply: bytes, *, after: bytes = b">") -> Scores:
    """A model that says `reply`, one byte a token, after the last `after` it sees, and then ends."""

    def scores(cells: tuple[Cell, ...]) -> dict[int, float]:
        last = max(index for index, cell in enumerate(cells) if cell.token == after[0])
        said = len(cells) - last - 1
        return {reply[said] if said < len(reply) else EOS: 1.0}

    return scores


class FakeVocabulary:
    """Every byte is a token; `pieces` are further ones, preferred where they match. BOS and EOS have no bytes."""

    def __init__(self, pieces: Sequence[bytes] = ()) -> None:
        self._pieces = tuple(pieces)
        self.tokens_count = FIRST_PIECE + len(self._pieces)

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        rest = text.encode()
        tokens = [BOS] if add_special else []
        while rest:
            matching = [index for index, piece in enumerate(self._pieces) if rest.startswith(piece)]
            longest = max(matching, key=lambda index: len(self._pieces[index]), default=None)
            tokens.append(rest[0] if longest is None else FIRST_PIECE + longest)
            rest = rest[len(self.piece(tokens[-1])) :]
        return tokens

    def piece(self, token: int) -> bytes:
        if token >= FIRST_PIECE:
            return self._pieces[token - FIRST_PIECE]
        return bytes([token]) if token < BOS else b""

    def token_of(self, text: str) -> int | None:
        if text == BOS_TEXT:
            return BOS
        tokens = self.tokenize(text, add_special=False)
        return tokens[0] if len(tokens) == 1 else None

    def ends_generation(self, token: int) -> bool:
        return token == EOS

    @property
    def ending(self) -> tuple[int, ...]:
        return (EOS,)


class FakeSampler:
    """The best token, or a draw among the `top_k` best; knows which sequence it belongs to."""

    def __init__(
        self,
        backend: "FakeBackend",
        options: Options,
        history: Sequence[int],
        logit_bias: Mapping[int, float],
        constraint: Constraint | None,
    ) -> None:
        self._backend = backend
        self._logit_bias = logit_bias
        self._constraint = constraint
        self._options = options
        self._tokens = list(history)
        self._random = random.Random(options.seed if options.seed >= 0 else None)
        self._closed = False

    def sample(self, row: int) -> int:
        assert not self._closed, "sampled after close"
        slot, cells = self._backend.row(row)
        shifts = self._backend.shifts[slot]
        words = words_of(cell.token for cell in cells)
        assert words == shifted(self._tokens, shifts), f"row {row} belongs to another sequence"
        assert shifts or not any(cell.moved for cell in cells), f"slot {slot} holds what another sequence left behind"
        scores = biased(self._backend.scores(cells), self._logit_bias)
        if self._constraint is not None:
            scores = {int(token): scores.get(int(token), 0.0) for token in self._constraint.allowed()}
        token = chosen(scores, self._options, self._tokens, self._random)
        if self._constraint is not None:
            self._constraint.take(token)
        self._tokens.append(token)
        self._backend.drawn(slot, token)
        return token

    def close(self) -> None:
        assert not self._closed, "closed twice"
        self._closed = True
        self._backend.open_samplers_count -= 1


class OneText:
    """Allows one text, byte by byte, and then the end; fails where `failing_after` bytes were said."""

    def __init__(self, text: bytes, *, failing_after: int | None = None) -> None:
        self._rest = [*text, EOS]
        self._bytes_left = failing_after

    def allowed(self) -> npt.NDArray[np.intp]:
        if self._bytes_left == 0:
            raise ConstraintFailed("too complex")
        return np.array(self._rest[:1], dtype=np.intp)

    def take(self, token: int) -> None:
        assert token == self._rest.pop(0)
        if self._bytes_left is not None:
            self._bytes_left -= 1


def shifted(tokens: Sequence[int], shifts: Sequence[tuple[int, int]]) -> list[int]:
    """What is left of all that a slot ever held."""
    left = list(tokens)
    for kept, leaving in shifts:
        del left[kept : kept + leaving]
    return left


def biased(scores: dict[int, float], logit_bias: Mapping[int, float]) -> dict[int, float]:
    return {token: scores.get(token, 0.0) + logit_bias.get(token, 0.0) for token in scores.keys() | logit_bias.keys()}


def chosen(scores: dict[int, float], options: Options, seen: Sequence[int], draw: random.Random) -> int:
    """Penalise recent tokens, keep the best, draw one."""
    recent = frozenset(seen[-options.repeat_last_n :] if options.repeat_last_n else ())
    penalised = {
        token: score / options.repeat_penalty - options.presence_penalty if token in recent else score
        for token, score in scores.items()
    }
    ranked = sorted(penalised, key=lambda token: (-penalised[token], token))
    if options.temperature <= 0:
        return ranked[0]
    kept = ranked[: options.top_k] if options.top_k > 0 else ranked
    return draw.choices(kept, weights=[max(penalised[token], 1e-6) for token in kept])[0]


class FakeBackend:
    """KV memory of `slots_count` partitions. `failures` holds, per coming decode, the error it is to raise or None."""

    def __init__(
        self,
        *,
        slots_count: int = 4,
        context_tokens: int = 256,
        batch_tokens_max: int = 64,
        scores: Scores | None = None,
        pieces: Sequence[bytes] = (),
        can_roll_back: bool = True,
        can_shift: bool = True,
    ) -> None:
        self.vocabulary = FakeVocabulary(pieces)
        self.slots_count = slots_count
        self.context_tokens = context_tokens
        self.scores = scores or hashing_model()
        self.failures: list[Exception | None] = []
        self.batches: list[tuple[Run, ...]] = []
        self.open_samplers_count = 0
        self.compiling: dict[str, Future[Constraint]] = {}
        self.holds_reading = False
        self.reading: list[Future[Sequence[Part]]] = []
        self.media_computed: list[Media] = []
        self.media_failures: list[Exception] = []
        self._media_ends: list[dict[int, int]] = [{} for _ in range(slots_count)]
        self._batch_tokens_max = batch_tokens_max
        self._can_roll_back = can_roll_back
        self.can_shift = can_shift and can_roll_back
        self.shifts: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._memory: list[list[Cell]] = [[] for _ in range(slots_count)]
        self._rows: dict[int, tuple[int, tuple[Cell, ...]]] = {}
        self._drawn: dict[int, tuple[int, int]] = {}

    def tokens(self, slot: int) -> list[int]:
        """What KV memory holds for the slot."""
        return [cell.token for cell in self._memory[slot]]

    def decode(self, runs: Sequence[Run]) -> None:
        self._check(runs)
        self.batches.append(tuple(runs))
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, DecodeFailed):
            self._append(runs[0])  # the first micro-batch was through
        if failure is not None:
            raise failure
        self._rows = {}
        row = -1
        for run in runs:
            row += len(run.tokens)
            self._append(run)
            if run.wants_logits:
                self._rows[row] = (run.slot, tuple(self._memory[run.slot]))

    def read_images(
        self, text: str, images: Sequence[bytes], *, add_special: bool, owner: str
    ) -> "Future[Sequence[Part]]":
        """Every image but a broken one is MEDIA_TOKENS tokens; with `holds_reading` a test ends the reading."""
        future: Future[Sequence[Part]] = Future()
        if BROKEN_IMAGE in images:
            future.set_exception(ParameterInvalid("an image cannot be read"))
        elif self.holds_reading:
            self.reading.append(future)
        else:
            future.set_result(self.seen(text, images, add_special=add_special, owner=owner))
        return future

    def seen(
        self, text: str, images: Sequence[bytes], *, add_special: bool = True, owner: str = "ann"
    ) -> Sequence[Part]:
        """What reading a prompt gives."""
        texts = text.split(MEDIA_MARKER)
        parts: list[Part] = [self.vocabulary.tokenize(texts[0], add_special=add_special)]
        for image, follows in zip(images, texts[1:], strict=True):
            parts += [Media(f"{owner} {image!r}", MEDIA_TOKENS), self.vocabulary.tokenize(follows, add_special=False)]
        return parts

    def decode_media(self, slot: int, position: int, media: Media) -> None:
        held_count = len(self._memory[slot])
        assert position == held_count, f"slot {slot} holds {held_count} tokens, not {position}"
        assert held_count + len(media.tokens) <= self.context_tokens, "the slot is full"
        if self.media_failures:
            raise self.media_failures.pop(0)
        self._memory[slot] += [Cell(token, decoded=False) for token in media.tokens]
        self._media_ends[slot][position] = position + len(media.tokens)
        self.media_computed.append(media)
        self._rows = {}

    def _check(self, runs: Sequence[Run]) -> None:
        slots = [run.slot for run in runs]
        assert slots, "an empty batch"
        assert slots == sorted(set(slots)), f"slots out of order: {slots}"
        assert sum(len(run.tokens) for run in runs) <= self._batch_tokens_max, "the batch is too large"
        for run in runs:
            held_count = len(self._memory[run.slot])
            assert run.tokens, "an empty run"
            assert run.position == held_count, f"slot {run.slot} holds {held_count} tokens, not {run.position}"
            assert held_count + len(run.tokens) <= self.context_tokens, "the slot is full"
            assert all(0 <= token < self.vocabulary.tokens_count for token in run.tokens), "an unknown token"

    def _append(self, run: Run) -> None:
        decoded = self._drawn.pop(run.slot, None) == (run.position, run.tokens[0]) and len(run.tokens) == 1
        self._memory[run.slot] += [Cell(token, decoded) for token in run.tokens]

    def row(self, row: int) -> tuple[int, tuple[Cell, ...]]:
        assert row in self._rows, f"batch position {row} has no logits"
        return self._rows[row]

    def drawn(self, slot: int, token: int) -> None:
        self._drawn[slot] = (len(self._memory[slot]), token)

    def constraint(self, json_schema: str) -> "Future[Constraint]":
        """A "schema" of this backend is the very text to say; a test ends its compilation."""
        self.compiling[json_schema] = Future()
        return self.compiling[json_schema]

    def sampler(
        self,
        options: Options,
        history: Sequence[int],
        *,
        logit_bias: Mapping[int, float] = NO_BIAS,
        constraint: Constraint | None = None,
    ) -> FakeSampler:
        self.open_samplers_count += 1
        return FakeSampler(self, options, history, logit_bias, constraint)

    def logprob(self, row: int, token: int, *, top_count: int) -> TokenLogprob:
        """Made-up values by which a test knows the token, the place and the count again."""
        _, cells = self.row(row)
        top = tuple(TokenLogprob(bytes([index]), -float(index)) for index in range(top_count))
        return TokenLogprob(self.vocabulary.piece(token), -float(len(cells)), top)

    def copy(self, source: int, target: int) -> None:
        assert source != target
        self._memory[target] = list(self._memory[source])
        self._media_ends[target] = dict(self._media_ends[source])
        self.shifts[target] = []
        self._drawn.pop(target, None)

    def truncate(self, slot: int, tokens_count: int) -> bool:
        held_count = len(self._memory[slot])
        assert tokens_count <= held_count, f"slot {slot} holds only {held_count} tokens, not {tokens_count}"
        if not self._can_roll_back and 0 < tokens_count < held_count:
            return False
        ends = self._media_ends[slot]
        assert not any(begin < tokens_count < end for begin, end in ends.items()), "an image was cut"
        self._media_ends[slot] = {begin: end for begin, end in ends.items() if begin < tokens_count}
        del self._memory[slot][tokens_count:]
        self.shifts[slot] = []
        self._drawn.pop(slot, None)
        return True

    def shift(self, slot: int, kept: int, leaving: int) -> bool:
        memory = self._memory[slot]
        assert leaving > 0
        assert kept >= 0
        assert kept + leaving <= len(memory), f"slot {slot} holds only {len(memory)} tokens"
        if not self.can_shift or self._media_ends[slot]:
            return False
        moved = [msgspec.structs.replace(cell, moved=True) for cell in memory[kept + leaving :]]
        memory[kept:] = moved
        self.shifts[slot].append((kept, leaving))
        if slot in self._drawn:
            position, token = self._drawn[slot]
            self._drawn[slot] = (position - leaving, token)
        return True

    def grow(self, context_tokens: int) -> None:
        assert context_tokens > self.context_tokens
        assert self.open_samplers_count == 0, "a sequence lost its memory"
        self.context_tokens = context_tokens
        self._memory = [[] for _ in range(self.slots_count)]
        self._media_ends = [{} for _ in range(self.slots_count)]
        self._drawn = {}
