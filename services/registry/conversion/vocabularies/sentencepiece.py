"""SentencePiece vocabularies, from `tokenizer.model` or from what the `tokenizers` library makes of it.

Two kinds: pieces merged in the order of their scores (Llama 2, Mistral: llama.cpp's `llama`), and unigrams, where the
cut with the best sum of scores wins (XLM-R: llama.cpp's `t5`).
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

from gguf import Keys, TokenType

from services.registry.conversion.gguf_file import Metadata
from services.registry.conversion.safetensors import label
from services.registry.conversion.source import refuse
from services.registry.conversion.vocabularies.sentencepiece_model import BPE, UNIGRAM, SentencePieceModel
from services.registry.conversion.vocabularies.tokenizer_files import (
    AddedToken,
    Part,
    TokenizerJson,
)
from services.registry.conversion.vocabularies.vocabulary import (
    SPACE,
    TOKENS_MAX,
    Vocabulary,
    added_type,
    tokens_by_id,
)

_MERGED: Final = "llama"
_UNIGRAM: Final = "t5"
_ADDED_SCORE: Final = -1000.0
_LAST_SCORE: Final = -1e6
"""Of tokens that no merge makes: a score below that of any that one makes."""

_SCORE_MAX: Final = 1e9

_SPACES: Final = " {2,}"
_REPLACED: Final = ((" ", None), (None, _SPACES))
"""What may be replaced, as plain text or as a pattern: a space by `▁`, several spaces by one."""

_BYTE: Final = re.compile(r"<0x[0-9A-F]{2}>")
_BYTES_COUNT: Final = 256


def vocabulary_of_model(model: SentencePieceModel, added_tokens: list[AddedToken]) -> Vocabulary:
    """The vocabulary of a `tokenizer.model`, with the tokens that other files add.

    Raises: ModelFileInvalid.
    """
    if model.model_type not in (BPE, UNIGRAM):
        refuse("tokenizer.model is neither a BPE nor a unigram model")
    tokens = [piece.text for piece in model.pieces]
    scores = [piece.score for piece in model.pieces]
    types = [piece.type for piece in model.pieces]
    for added in sorted(added_tokens, key=lambda token: token.id):
        if not 0 <= added.id < TOKENS_MAX:
            refuse(f"the token {label(added.content)} has the impossible id {added.id}")
        while len(tokens) <= added.id:
            tokens.append(f"[PAD{len(tokens)}]")
            scores.append(_ADDED_SCORE)
            types.append(int(TokenType.UNUSED))
        if types[added.id] not in (TokenType.UNKNOWN, TokenType.BYTE):
            types[added.id] = int(added_type(added))
        tokens[added.id] = _spaced(added.content, types[added.id])
    settings: Metadata = {Keys.Tokenizer.ADD_PREFIX: model.adds_dummy_prefix}
    if model.model_type == UNIGRAM:
        settings |= _unigram_settings(model.removes_extra_whitespaces, model.charsmap)
    return _checked(_MERGED if model.model_type == BPE else _UNIGRAM, tokens, types, scores, settings)


def merged_vocabulary(tokenizer: TokenizerJson) -> Vocabulary:
    """The vocabulary of a BPE with byte fallback in `tokenizer.json`: its ranked merges become scores again.

    Raises: ModelFileInvalid.
    """
    _check_parts(tokenizer, ("Prepend", "Replace"), ("Metaspace",))
    tokens, types = _with_unknown(tokenizer)
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(tokenizer.model.merges):
        ranks.setdefault(merge.replace(" ", "", 1) if isinstance(merge, str) else "".join(merge), rank)
    scores = [float(-ranks[token]) if token in ranks else _LAST_SCORE for token in tokens]
    settings: Metadata = {Keys.Tokenizer.ADD_PREFIX: _adds_prefix(tokenizer)}
    return _checked(_MERGED, tokens, types, scores, settings)


def unigram_vocabulary(tokenizer: TokenizerJson) -> Vocabulary:
    """The vocabulary of a unigram model in `tokenizer.json`.

    Raises: ModelFileInvalid.
    """
    assert isinstance(tokenizer.model.vocab, list), "a unigram vocabulary is a list"
    _check_parts(tokenizer, ("Precompiled", "Replace", "Strip"), ("WhitespaceSplit", "Metaspace"))
    tokens, types = _with_unknown(tokenizer)
    listed = [score for _, score in tokenizer.model.vocab]
    scores = [*listed, *(0.0 for _ in tokens[len(listed) :])]
    settings: Metadata = {Keys.Tokenizer.ADD_PREFIX: _adds_prefix(tokenizer)}
    settings |= _unigram_settings(_removes_spaces(tokenizer), _charsmap(tokenizer.normalizers))
    return _checked(_UNIGRAM, tokens, types, scores, settings)


def _with_unknown(tokenizer: TokenizerJson) -> tuple[list[str], list[int]]:
    """Tokens and types, with the byte tokens and the token for what is unknown told apart from the rest."""
    tokens, types = tokens_by_id(tokenizer)
    for token, text in enumerate(tokens):
        if _BYTE.fullmatch(text):
            types[token] = int(TokenType.BYTE)
        elif text == tokenizer.model.unk_token or token == tokenizer.model.unk_id:
            types[token] = int(TokenType.UNKNOWN)
        tokens[token] = _spaced(text, types[token])
    return tokens, types


def _spaced(text: str, type_: int) -> str:
    """llama.cpp looks for added tokens in the text as users write it, with real spaces."""
    return text.replace(SPACE, " ") if type_ == TokenType.USER_DEFINED else text


def _check_parts(tokenizer: TokenizerJson, normalizers: Sequence[str], pre_tokenizers: Sequence[str]) -> None:
    """Refuse a tokenizer that does to a text what llama.cpp does not.

    Raises: ModelFileInvalid.
    """
    unknown = [part.type for part in tokenizer.normalizers if part.type not in normalizers]
    unknown += [part.type for part in tokenizer.pre_tokenizers if part.type not in pre_tokenizers]
    if unknown:
        refuse(f"tokenizer.json: {label(', '.join(unknown))} is not supported for this kind of tokenizer")
    for part in tokenizer.normalizers:
        if part.type == "Replace" and (
            part.pattern is None or (part.pattern.text, part.pattern.regex) not in _REPLACED
        ):
            refuse("tokenizer.json: it replaces text in a way that is not supported")


def _adds_prefix(tokenizer: TokenizerJson) -> bool:
    """Whether a text gets a space in front, by one of the ways that the `tokenizers` library has for it."""
    if any(part.type == "Prepend" for part in tokenizer.normalizers):
        return True
    cutters = [part for part in tokenizer.pre_tokenizers if part.type == "Metaspace"]
    return any(part.prepend_scheme != "never" and part.add_prefix_space for part in cutters)


def _removes_spaces(tokenizer: TokenizerJson) -> bool:
    """Whether several spaces count as one."""
    if any(part.type == "WhitespaceSplit" for part in tokenizer.pre_tokenizers):
        return True
    patterns = [part.pattern for part in tokenizer.normalizers if part.type == "Replace"]
    return any(pattern is not None and pattern.regex == _SPACES for pattern in patterns)


def _charsmap(parts: list[Part]) -> bytes:
    """SentencePiece's table of replaced characters; empty when there is none."""
    for part in parts:
        if part.type == "Precompiled" and part.precompiled_charsmap:
            try:
                return base64.b64decode(part.precompiled_charsmap, validate=True)
            except binascii.Error:
                refuse("tokenizer.json: precompiled_charsmap is malformed")
    return b""


def _unigram_settings(removes_extra_whitespaces: bool, charsmap: bytes) -> Metadata:
    settings: Metadata = {Keys.Tokenizer.REMOVE_EXTRA_WS: removes_extra_whitespaces}
    if charsmap:
        # llama.cpp trusts the length at the front of the table.
        if len(charsmap) <= 4 or int.from_bytes(charsmap[:4], "little") >= len(charsmap) - 4:
            refuse("the tokenizer's table of replaced characters is malformed")
        settings[Keys.Tokenizer.PRECOMPILED_CHARSMAP] = charsmap
    return settings


def _checked(model: str, tokens: list[str], types: list[int], scores: list[float], settings: Metadata) -> Vocabulary:
    if model == _MERGED and types.count(int(TokenType.BYTE)) != _BYTES_COUNT:
        refuse("the tokenizer has no token for every byte, so there are texts that it cannot write")
    if not all(abs(score) <= _SCORE_MAX for score in scores):
        refuse("the tokenizer has a score that is not a sensible number")
    return Vocabulary(model=model, tokens=tokens, types=types, scores=scores, adds_bos=True, settings=settings)
