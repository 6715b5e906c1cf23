"""WordPiece (BERT): words are cut into the longest known pieces.

llama.cpp marks the beginnings of words, where BERT marks what follows: `play`, `##ing` become `▁play`, `ing`.
"""

from gguf import TokenType

from services.registry.conversion.gguf_file import Metadata
from services.registry.conversion.safetensors import label
from services.registry.conversion.source import refuse
from services.registry.conversion.vocabularies.tokenizer_files import Part, TokenizerJson
from services.registry.conversion.vocabularies.vocabulary import SPACE, Vocabulary, tokens_by_id


def wordpiece_vocabulary(tokenizer: TokenizerJson) -> Vocabulary:
    """Raises: ModelFileInvalid."""
    mark = tokenizer.model.continuing_subword_prefix or "##"
    if [part.type for part in tokenizer.pre_tokenizers] != ["BertPreTokenizer"]:
        refuse("tokenizer.json: words must be cut by BertPreTokenizer")
    tokens, types = tokens_by_id(tokenizer)
    marked = [
        token if type_ == TokenType.CONTROL else _marked(token, mark)
        for token, type_ in zip(tokens, types, strict=True)
    ]
    return Vocabulary(
        model="bert", tokens=marked, types=types, adds_bos=True, settings=_normalization(tokenizer.normalizers)
    )


def _marked(token: str, mark: str) -> str:
    return token.removeprefix(mark) if token.startswith(mark) else SPACE + token


def _normalization(parts: list[Part]) -> Metadata:
    """Whether letters lose their case and their accents; with no word about accents they follow the case.

    Source: llama.cpp `llama-arch.cpp`, LLM_KV_TOKENIZER_NORMALIZER_*.
    """
    if [part.type for part in parts] != ["BertNormalizer"]:
        refuse(f"tokenizer.json: the normalizers {label(str([part.type for part in parts]))} are not supported")
    part = parts[0]
    return {
        "tokenizer.ggml.normalizer.lowercase": part.lowercase,
        "tokenizer.ggml.normalizer.strip_accents": part.lowercase if part.strip_accents is None else part.strip_accents,
    }
