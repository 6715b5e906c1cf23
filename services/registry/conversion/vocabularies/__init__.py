"""Tokenizers become GGUF vocabularies.

- reading.py: which files count and which kind they hold
- byte_level.py: GPT-2's kind, bytes as characters and merges; pre_tokenizers.py knows how text is cut before
- sentencepiece.py: Llama 2's kind and XLM-R's; sentencepiece_model.py reads `tokenizer.model`
- wordpiece.py: BERT's kind
- special_tokens.py: what begins, ends and pads a text, for all of them
- vocabulary.py: what they all become; tokenizer_files.py: the files as types
"""
