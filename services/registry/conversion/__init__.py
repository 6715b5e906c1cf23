"""Folders of safetensors become GGUF files, and GGUF files become smaller ones; each in a child process of its own.

- converter.py: what the registry calls, with the contract; bounds the number of children, publishes whole files
- children.py: one child as its parent sees it; messages.py: what the two say to each other
- child.py: a child's life, its bounds first; __main__.py starts it
- convert_child.py: a folder to a GGUF. source.py reads its files, safetensors.py its weights, llama_family.py and
  bert_family.py know the architectures, vocabularies/ the tokenizers, gguf_file.py writes
- adapter_child.py: a PEFT LoRA folder to a GGUF adapter
- quantize_child.py: a GGUF to one of another type by llama.cpp; the registry's only importer of `llama_cpp`
- file_types.py: the types a model may be quantized to
"""
