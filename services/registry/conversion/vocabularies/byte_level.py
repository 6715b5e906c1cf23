"""Byte-level BPE (GPT-2, Llama 3, Qwen): every byte is a character, words are put together by ranked merges.

A normalizer that composes characters (NFC) is accepted and not applied: llama.cpp has none, and nearly all text is
composed already.
"""

from typing import Final

from services.registry.conversion.safetensors import label
from services.registry.conversion.source import refuse
from services.registry.conversion.vocabularies.pre_tokenizers import pre_tokenizer_name
from services.registry.conversion.vocabularies.tokenizer_files import Model, TokenizerJson
from services.registry.conversion.vocabularies.vocabulary import Vocabulary, tokens_by_id

MERGES_MAX: Final = 1 << 20


def byte_level_vocabulary(tokenizer: TokenizerJson) -> Vocabulary:
    """Raises: ModelFileInvalid."""
    model = tokenizer.model
    if model.continuing_subword_prefix or model.end_of_word_suffix:
        refuse("tokenizer.json: marked subwords are not supported")
    for part in tokenizer.normalizers:
        if part.type != "NFC":
            refuse(f"tokenizer.json: the normalizer {label(part.type)} is not supported")
    tokens, types = tokens_by_id(tokenizer)
    return Vocabulary(
        model="gpt2",
        pre=pre_tokenizer_name(tokenizer.pre_tokenizers, model),
        tokens=tokens,
        types=types,
        merges=_merges(model),
        adds_bos=False,
    )


def _merges(model: Model) -> list[str]:
    """Merges as llama.cpp reads them: two tokens with one space between."""
    if not model.merges:
        refuse("tokenizer.json: there are no merges")
    if len(model.merges) > MERGES_MAX:
        refuse(f"tokenizer.json: {len(model.merges)} merges are more than the {MERGES_MAX} allowed")
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model.merges]
    for merge in merges:
        if merge.count(" ") != 1 or merge.startswith(" ") or merge.endswith(" "):
            refuse(f"tokenizer.json: {label(merge)} is not a merge of two tokens")
    return merges
