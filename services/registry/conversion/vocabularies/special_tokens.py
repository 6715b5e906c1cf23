"""Which tokens begin, end, part and pad a text, and which of them the tokenizer adds by itself."""

from typing import Final

from gguf import Keys, TokenType

from services.registry.conversion.gguf_file import Metadata
from services.registry.conversion.model_config import ModelConfig, TokenIds
from services.registry.conversion.source import refuse
from services.registry.conversion.vocabularies.tokenizer_files import (
    Part,
    TokenizerConfig,
    text_of,
)
from services.registry.conversion.vocabularies.vocabulary import Vocabulary

_KEYS: Final = {
    "bos": Keys.Tokenizer.BOS_ID,
    "eos": Keys.Tokenizer.EOS_ID,
    "unk": Keys.Tokenizer.UNK_ID,
    "sep": Keys.Tokenizer.SEP_ID,
    "pad": Keys.Tokenizer.PAD_ID,
    "mask": Keys.Tokenizer.MASK_ID,
}


def special_tokens(
    vocabulary: Vocabulary, config: TokenizerConfig, processors: list[Part], model_config: ModelConfig
) -> Metadata:
    """GGUF metadata for the special tokens. Texts in the tokenizer's files count more than ids in `config.json`.

    Raises: ModelFileInvalid when a token that is to be added does not exist, which would make llama.cpp stop.
    """
    first, last = _surroundings(processors)
    # Where the configuration has a flag, transformers rewrites the template by it.
    first = None if config.add_bos_token is False else first
    last = None if config.add_eos_token is False else last
    adds_bos = first is not None or bool(config.add_bos_token)
    if not processors and config.add_bos_token is None:
        adds_bos = vocabulary.adds_bos
    adds_eos = last is not None or bool(config.add_eos_token)
    ids = _ids(vocabulary, config, model_config, first, last)
    is_encoder = vocabulary.model == "bert"
    needed = {"bos": adds_bos or is_encoder, "eos": adds_eos, "sep": is_encoder}
    for name, is_needed in needed.items():
        if is_needed and name not in ids:
            refuse(f"the tokenizer adds a {name} token and has none")
    return {
        **{_KEYS[name]: token for name, token in ids.items()},
        Keys.Tokenizer.ADD_BOS: adds_bos,
        Keys.Tokenizer.ADD_EOS: adds_eos,
    }


def _ids(
    vocabulary: Vocabulary, config: TokenizerConfig, model_config: ModelConfig, first: str | None, last: str | None
) -> dict[str, int]:
    """Ids of the special tokens that exist. What the tokenizer really puts before and after a text is what counts as
    its begin and its end; an encoder's are called cls and sep."""
    by_text = {text: token for token, text in enumerate(vocabulary.tokens)}
    texts = {
        "bos": first or text_of(config.bos_token) or text_of(config.cls_token),
        "eos": last or text_of(config.eos_token) or text_of(config.sep_token),
        "unk": text_of(config.unk_token),
        "sep": text_of(config.sep_token) or (last if vocabulary.model == "bert" else None),
        "pad": text_of(config.pad_token),
        "mask": text_of(config.mask_token),
    }
    ids = {name: by_text[text] for name, text in texts.items() if text in by_text}
    fallbacks = {
        "bos": model_config.bos_token_id,
        "eos": model_config.eos_token_id,
        "pad": model_config.pad_token_id,
        "unk": next((token for token, type_ in enumerate(vocabulary.types) if type_ == TokenType.UNKNOWN), None),
    }
    for name, value in fallbacks.items():
        token = _first(value)
        if token is not None and 0 <= token < len(vocabulary.tokens):
            ids.setdefault(name, token)
    return ids


def _first(value: TokenIds) -> int | None:
    return next(iter(value), None) if isinstance(value, list) else value


def _surroundings(processors: list[Part]) -> tuple[str | None, str | None]:
    """The special tokens that the tokenizer puts before and after a text."""
    for part in processors:
        if part.type == "TemplateProcessing" and part.single:
            first, last = part.single[0].special, part.single[-1].special
            return first.id if first else None, last.id if last else None
        if part.type in ("RobertaProcessing", "BertProcessing") and part.cls and part.sep:
            return part.cls[0], part.sep[0]
    return None, None
