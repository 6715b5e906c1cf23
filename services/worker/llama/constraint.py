"""Output that follows a JSON schema: the only importer of llguidance, which says what tokens may come next."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import llama_cpp as lib
import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper

from services.worker.engine.backend import Constraint, ConstraintFailed
from services.worker.llama import bindings
from shared.errors import ParameterInvalid

WHITESPACE_CHARACTERS_MAX: Final = 40
"""Between two JSON tokens: enough for a line break and deep indentation. Without a limit a model that is unsure what
to say may say spaces until its context is full."""

REASON_CHARACTERS_MAX: Final = 500

_JSON_OPTIONS: Final = {
    "whitespace_flexible": True,
    "whitespace_pattern": rf"[ \t\r\n]{{1,{WHITESPACE_CHARACTERS_MAX}}}",
    "coerce_one_of": False,
    "lenient": False,  # a keyword that cannot be enforced is an error, not a promise broken in silence
}


class JsonConstraint:
    """What one sequence may say next, given what it has said. Not thread-safe."""

    def __init__(self, matcher: LLMatcher, n_vocab: int) -> None:
        self._matcher = matcher
        self._n_vocab = n_vocab

    def allowed(self) -> npt.NDArray[np.intp]:
        mask = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        if self._matcher.is_error():
            raise ConstraintFailed(_reason(self._matcher))
        tokens = np.flatnonzero(np.unpackbits(mask, count=self._n_vocab, bitorder="little"))
        if not tokens.size:
            raise ConstraintFailed("no token of this model continues the output")
        return tokens

    def take(self, token: int) -> None:
        if not self._matcher.consume_token(token):
            raise ConstraintFailed(_reason(self._matcher))


class Constraints:
    """Compiles schemas for one model.

    In a thread of its own: the vocabulary is read when it is first needed, a quarter second for 49,000 tokens, and a
    large schema takes tens of milliseconds. Other people's streams go on meanwhile, up to what holds Python's lock.
    """

    def __init__(self, vocab: Any) -> None:
        self._vocab = vocab
        self._n_vocab = int(lib.llama_vocab_n_tokens(vocab))
        self._tokenizer: LLTokenizer | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="constraints")

    def compile(self, json_schema: str) -> "Future[Constraint]":
        """A constraint for one sequence; the future raises ParameterInvalid for what cannot be enforced."""
        return self._thread.submit(self._compiled, json_schema)

    def close(self) -> None:
        """Wait for what is being compiled; afterwards the model may be freed."""
        self._thread.shutdown(cancel_futures=True)

    def _compiled(self, json_schema: str) -> JsonConstraint:
        if self._tokenizer is None:
            self._tokenizer = read_tokenizer(self._vocab)
        try:
            grammar = LLMatcher.grammar_from_json_schema(json_schema, overrides=_JSON_OPTIONS)  # type: ignore[arg-type]  # its TypedDict is in stubs only
        except ValueError as cause:
            raise ParameterInvalid(f"the JSON schema cannot be read: {cause}") from cause
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0, limits=LLParserLimits(verbose_errors=False))
        if matcher.is_error():
            raise ParameterInvalid(f"the JSON schema cannot be enforced: {_reason(matcher)}")
        return JsonConstraint(matcher, self._n_vocab)


class _Vocabulary:
    """A llama.cpp vocabulary as llguidance's TokenizerWrapper wants it.

    A token is exactly the bytes that the client will get for it, whatever the kind of vocabulary. Tokens without bytes
    (control tokens, padding) and those that end a generation are special: no JSON text holds them.
    """

    bos_token_id = None

    def __init__(self, vocab: Any) -> None:
        token_ids = range(int(lib.llama_vocab_n_tokens(vocab)))
        self._vocab = vocab
        self._pieces = [bindings.piece(vocab, token) for token in token_ids]
        self.ending = [token for token in token_ids if lib.llama_vocab_is_eog(vocab, token)]
        self.eos_token_id = self.ending[0] if self.ending else -1
        self.special_token_ids = sorted({token for token in token_ids if not self._pieces[token]} | set(self.ending))
        self.tokens = list(self._pieces)
        for token in self.special_token_ids:
            self.tokens[token] = bindings.token_text(vocab, token).encode() or b"<%d>" % token
        self.greedy: Callable[[str], list[int]] | None = None  # llguidance's, known once it has read this

    def __call__(self, text: str) -> list[int]:
        """The tokens the model would say `text` in; where those stand for other bytes, the longest that fit.

        SentencePiece puts a space in front, and texts may look like special tokens.
        """
        encoded = text.encode()
        tokens = bindings.tokenize(self._vocab, encoded, add_special=False)
        if self.greedy is None or b"".join(self._pieces[token] for token in tokens) == encoded:
            return tokens
        return self.greedy(text)


def read_tokenizer(vocab: Any) -> LLTokenizer:
    """Raises: ParameterInvalid for a vocabulary in which nothing ends a generation."""
    vocabulary = _Vocabulary(vocab)
    if not vocabulary.ending:
        raise ParameterInvalid("this model has no token that ends its output, so a format cannot be enforced")
    tokenizer = LLTokenizer(TokenizerWrapper(vocabulary), eos_token=vocabulary.ending)
    vocabulary.greedy = tokenizer.greedy_tokenize
    return tokenizer


def _reason(matcher: LLMatcher) -> str:
    """llguidance's words on one line."""
    return " ".join(matcher.get_error().split())[:REASON_CHARACTERS_MAX]
