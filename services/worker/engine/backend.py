"""What the engine needs of a model: the protocol that `worker/llama` implements and tests fake."""

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from concurrent.futures import Future
from types import MappingProxyType
from typing import Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from services.worker.engine.media import Media, Part
from shared.generation import TokenLogprob
from shared.options import Options

NO_BIAS: Final[Mapping[int, float]] = MappingProxyType({})


class KvCacheFull(Exception):
    """No room for the batch; memory is as before the call."""


class DecodeFailed(Exception):
    """The forward pass failed; the sequences of the batch must be cleared."""


class ConstraintFailed(Exception):
    """The constraint of one sequence cannot go on, say because it became too complex; that sequence is over."""


class Vocabulary(Protocol):
    """Text to tokens and back. Token ids run from 0 to `tokens_count` - 1."""

    @property
    def tokens_count(self) -> int: ...

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        """Tokens of `text`, special tokens in it recognised; `add_special` adds the model's BOS where it wants one."""

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; they need not be whole characters, and control tokens have none."""

    def token_of(self, text: str) -> int | None:
        """The token that alone stands for `text`, special tokens included; None where it takes several."""

    def ends_generation(self, token: int) -> bool: ...

    @property
    def ending(self) -> Seq[int]:
        """The tokens that end a generation."""


class Constraint(Protocol):
    """What one sequence may say, given what it has said. What ends a generation is allowed when the output is whole."""

    def allowed(self) -> npt.NDArray[np.intp]:
        """The tokens that may come next, ascending; there is always one.

        Raises: ConstraintFailed.
        """

    def take(self, token: int) -> None:
        """Go on from an allowed token.

        Raises: ConstraintFailed.
        """


class Sampler(Protocol):
    """Draws tokens for one sequence and remembers what it drew."""

    def sample(self, row: int) -> int:
        """A token from the logits of batch position `row` of the latest decode.

        Raises: ConstraintFailed.
        """

    def close(self) -> None: ...


class Run(msgspec.Struct, frozen=True):
    """Consecutive tokens of one slot in a batch. `position` is that of the first; only the last may give logits."""

    slot: int
    position: int
    tokens: Seq[int]
    wants_logits: bool


class Backend(Protocol):
    """One model with KV memory for `slots_count` sequences of up to `context_tokens` tokens each."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def slots_count(self) -> int: ...

    @property
    def context_tokens(self) -> int: ...

    def decode(self, runs: Seq[Run]) -> None:
        """Run one forward pass over `runs`, which are in slot order.

        Shapes: 1..batch_tokens_max tokens over at most slots_count slots.
        Raises: KvCacheFull, DecodeFailed.
        """

    def read_images(self, text: str, images: Seq[bytes], *, add_special: bool, owner: str) -> "Future[Seq[Part]]":
        """Have a prompt read in which each image has its marker; the future raises ParameterInvalid where that fails.

        What the same `owner` showed before may be known again.
        Raises: CapabilityMissing when the model has no eyes or ears at all.
        """

    def decode_media(self, slot: int, position: int, media: Media) -> None:
        """Put media that `read_images` gave behind the `position` tokens of the slot, in a pass of its own.

        Raises: KvCacheFull, DecodeFailed.
        """

    def constraint(self, json_schema: str) -> "Future[Constraint]":
        """Have the schema compiled for a new sequence; the future raises ParameterInvalid where that fails."""

    def sampler(
        self,
        options: Options,
        history: Seq[int],
        *,
        logit_bias: Mapping[int, float] = NO_BIAS,
        constraint: Constraint | None = None,
    ) -> Sampler:
        """A sampler for a new sequence; penalties look back on `history`."""

    def logprob(self, row: int, token: int, *, top_count: int) -> TokenLogprob:
        """How likely `token` was at batch position `row` of the latest decode, and the `top_count` likeliest tokens."""

    def copy(self, source: int, target: int) -> None:
        """Make slot `target` hold exactly what `source` holds."""

    def truncate(self, slot: int, tokens_count: int) -> bool:
        """Keep only the first `tokens_count` tokens of the slot; False when the model cannot roll back that far."""

    def shift(self, slot: int, kept: int, leaving: int) -> bool:
        """Let `leaving` tokens go after the first `kept` ones, and move the rest up; False when the model cannot.

        What moved was computed with those that left: it differs from what the same tokens would become without them.
        """

    def grow(self, context_tokens: int) -> None:
        """Give every slot room for `context_tokens`; all slots are empty afterwards."""
