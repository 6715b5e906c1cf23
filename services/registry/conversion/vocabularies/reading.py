"""A folder's tokenizer as GGUF metadata: which files count, and which kind of vocabulary they hold."""

from gguf import Keys

from services.registry.conversion.gguf_file import Metadata
from services.registry.conversion.model_config import ModelConfig
from services.registry.conversion.safetensors import label
from services.registry.conversion.source import Source, refuse
from services.registry.conversion.vocabularies.byte_level import byte_level_vocabulary
from services.registry.conversion.vocabularies.sentencepiece import (
    merged_vocabulary,
    unigram_vocabulary,
    vocabulary_of_model,
)
from services.registry.conversion.vocabularies.sentencepiece_model import parse_sentencepiece_model
from services.registry.conversion.vocabularies.special_tokens import special_tokens
from services.registry.conversion.vocabularies.tokenizer_files import (
    TokenizerConfig,
    TokenizerJson,
    added_tokens_of,
    chat_template_of,
    read_tokenizer_config,
)
from services.registry.conversion.vocabularies.vocabulary import Vocabulary
from services.registry.conversion.vocabularies.wordpiece import wordpiece_vocabulary


def tokenizer_metadata(source: Source, model_config: ModelConfig) -> Metadata:
    """Raises: ModelFileInvalid."""
    config = read_tokenizer_config(source)
    tokenizer = source.optional_json("tokenizer.json", TokenizerJson)
    vocabulary = _vocabulary(source, tokenizer, config)
    processors = tokenizer.post_processors if tokenizer is not None else []
    return {
        **vocabulary.metadata(model_config.vocab_size),
        **special_tokens(vocabulary, config, processors, model_config),
        Keys.Tokenizer.CHAT_TEMPLATE: chat_template_of(source, config),
    }


def _vocabulary(source: Source, tokenizer: TokenizerJson | None, config: TokenizerConfig) -> Vocabulary:
    """SentencePiece's own file counts first: it has the scores that `tokenizer.json` only has the order of."""
    content = source.optional_content("tokenizer.model")
    if content is not None:
        return vocabulary_of_model(parse_sentencepiece_model(content), added_tokens_of(source, config, tokenizer))
    if tokenizer is None:
        refuse("tokenizer.json is missing")
    kind, is_listed = tokenizer.model.type, isinstance(tokenizer.model.vocab, list)
    if kind == "Unigram" and is_listed:
        return unigram_vocabulary(tokenizer)
    if kind == "WordPiece" and not is_listed:
        return wordpiece_vocabulary(tokenizer)
    if kind != "BPE" or is_listed:
        refuse(f"tokenizer.json: tokenizers of the type {label(kind)} are not supported")
    is_byte_level = any(part.type == "ByteLevel" for part in tokenizer.pre_tokenizers)
    return byte_level_vocabulary(tokenizer) if is_byte_level else merged_vocabulary(tokenizer)
