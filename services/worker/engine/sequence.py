"""One generation inside the engine: what was asked, its token history, its phase. Scheduling is elsewhere."""

from collections.abc import Mapping
from concurrent.futures import Future
from enum import StrEnum

import msgspec

from services.worker.engine.backend import Constraint, Sampler
from services.worker.engine.detokenizer import Detokenizer
from services.worker.engine.held_logprobs import HeldLogprobs
from services.worker.engine.media import Media
from services.worker.engine.shifting import CONTEXTS_MAX
from services.worker.engine.stopping import StopMatcher
from shared.errors import ErrorInfo
from shared.generation import PLAIN_SAMPLING, DoneReason, Sampling, TokenLogprob, Usage
from shared.options import Options


class NewSequence(msgspec.Struct, frozen=True, kw_only=True, tag="admit"):
    """A generation to run. `prompt` follows the tokens of `context`.

    `images` are the files, pictures or sound, that stand in the prompt where its markers are, in order.
    `shared_prefix` is the beginning of `prompt` that holds nothing of the tenant's own; what is cached of it may
    serve other tenants. `markers` are special tokens, otherwise without text, whose text is part of the output.
    With `shifts` a full context loses its older half and the generation goes on; with `cuts_prompt` a prompt that is
    too long loses its middle.
    A JSON schema binds what follows the first `constrain_after` of the output, which cannot end before that.
    `count_only` asks for the number of prompt tokens and no generation.
    """

    sequence_id: int
    prompt: str
    images: tuple[bytes, ...] = ()
    context: tuple[int, ...] = ()
    shared_prefix: str = ""
    tenant: str
    options: Options
    sampling: Sampling = PLAIN_SAMPLING
    markers: tuple[str, ...] = ()
    constrain_after: str = ""
    shifts: bool = False
    cuts_prompt: bool = False
    count_only: bool = False


class TokensOut(msgspec.Struct, frozen=True, tag="tokens", array_like=True):
    """New tokens of a sequence and the text they release (held-back text comes later, and its `logprobs` with it)."""

    sequence_id: int
    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...] = ()


class PromptCut(msgspec.Struct, frozen=True, tag="cut", array_like=True):
    """So many tokens in the middle of a prompt were left out, because it was too long. Comes before all tokens."""

    sequence_id: int
    left_out_tokens: int


class VectorsOut(msgspec.Struct, frozen=True, tag="vectors", array_like=True):
    """The next inputs of an embedding, each as little-endian 32-bit floats; `truncated_count` of them were cut."""

    sequence_id: int
    vectors: tuple[bytes, ...]
    truncated_count: int


class SequenceFinished(msgspec.Struct, frozen=True, tag="finished", array_like=True):
    """A sequence came to its end; `prompt_token_ids` are those it was given, context included and images left out.

    `stop_string` is the one that ended it, if one did. `shifted_tokens` left its context on the way. Of a sequence that
    was only counted, `context_tokens` says how many it may have.
    """

    sequence_id: int
    reason: DoneReason
    usage: Usage
    prompt_token_ids: tuple[int, ...]
    stop_string: str = ""
    shifted_tokens: int = 0
    context_tokens: int = 0


class SequenceFailed(msgspec.Struct, frozen=True, tag="failed", array_like=True):
    sequence_id: int
    error: ErrorInfo


SequenceEvent = PromptCut | TokensOut | VectorsOut | SequenceFinished | SequenceFailed


class Phase(StrEnum):
    """waiting → prefill → decode → (gone)"""

    WAITING = "waiting"
    PREFILL = "prefill"
    DECODE = "decode"


class Gate:
    """Keeps a constraint off until the output holds a certain text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._seen = ""

    def opens(self, characters: str) -> bool:
        """Whether the text is complete with these characters."""
        self._seen += characters
        if self._text in self._seen:
            return True
        self._seen = self._seen[-len(self._text) :]
        return False


class Sequence:
    """Mutable state of one generation; the engine loop is its only writer."""

    def __init__(
        self,
        new: NewSequence,
        *,
        prompt: list[int],
        media: Mapping[int, Media],
        shared_tokens: int,
        markers: Mapping[int, bytes],
        tokens_max: int,
        received_ns: int,
        left_out_tokens: int = 0,
        kept_tokens: int = 0,
    ) -> None:
        self.sequence_id = new.sequence_id
        self.tenant = new.tenant
        self.options = new.options
        self.sampling = new.sampling
        self.prompt = prompt
        self.media = media  # by their first token
        self.left_out_tokens = left_out_tokens  # of the prompt as it came
        self.kept_tokens = kept_tokens  # in front, whatever leaves a full context
        self.shared_tokens = shared_tokens
        self.tokens_max = tokens_max
        self.received_ns = received_ns
        self.first_token_ns = 0
        self.cached_tokens = 0
        self.computed_tokens = 0  # of the prompt
        self.generated: list[int] = []
        self.shifts = new.shifts
        self.shifted_tokens = 0  # that left the context
        self.phase = Phase.WAITING
        self.slot = -1
        self.markers = markers
        self.constraint: Future[Constraint] | None = None  # compiled while the sequence waits
        self.gate = Gate(new.constrain_after) if new.constrain_after and new.sampling.json_schema else None
        self.sampler: Sampler | None = None
        self.detokenizer = Detokenizer()
        self.stop_matcher = StopMatcher(new.options.stop)
        self.held_logprobs = HeldLogprobs()

    @property
    def coming_media(self) -> Media | None:
        """What the prompt goes on with, where that is not text."""
        return self.media.get(self.computed_tokens)

    @property
    def pending_tokens(self) -> int:
        """Tokens of the prompt that may be computed next: one image's, or those of the text up to the next."""
        if (media := self.coming_media) is not None:
            return len(media.tokens)
        end = min((begin for begin in self.media if begin > self.computed_tokens), default=len(self.prompt))
        return end - self.computed_tokens

    @property
    def generated_max(self) -> int:
        """How many tokens it may generate: what was asked for, and what the context leaves or, shifting, allows."""
        room = CONTEXTS_MAX * self.tokens_max if self.shifts else self.tokens_max - len(self.prompt)
        asked = self.options.num_predict
        return min(asked, room) if asked > 0 else room

    @property
    def fills_context(self) -> bool:
        """Whether its next token has no room."""
        return len(self.prompt) + len(self.generated) - self.shifted_tokens >= self.tokens_max

    def usage(self, now_ns: int) -> Usage:
        first_ns = self.first_token_ns or now_ns
        return Usage(
            prompt_tokens=len(self.prompt),
            cached_tokens=self.cached_tokens,
            generated_tokens=len(self.generated),
            prompt_ns=first_ns - self.received_ns,
            decode_ns=now_ns - first_ns,
        )
