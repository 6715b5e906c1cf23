"""Opens weights and adapters. What is computed with them is the contexts' business."""

from typing import Any

import llama_cpp as lib

from services.worker.llama import bindings
from services.worker.llama.params import LlamaParams
from shared.errors import ModelLoadFailed


def open_weights(params: LlamaParams) -> tuple[Any, list[Any]]:
    """The model and its LoRA adapters, which are freed with it.

    Raises: ModelLoadFailed with what llama.cpp had to say (nothing is left open).
    """
    model_params = lib.llama_model_default_params()
    model_params.n_gpu_layers = params.n_gpu_layers
    model_params.main_gpu = params.main_gpu
    model_params.load_mode = lib.LLAMA_LOAD_MODE_MMAP if params.use_mmap else lib.LLAMA_LOAD_MODE_NONE
    model = lib.llama_model_load_from_file(params.path.encode(), model_params)
    if not model:
        raise ModelLoadFailed(f"llama.cpp could not load the model: {bindings.recent_errors()}")
    return model, [_open_adapter(model, path) for path in params.adapters]


def _open_adapter(model: Any, path: str) -> Any:
    adapter = lib.llama_adapter_lora_init(model, path.encode())
    if not adapter:
        reason = f"llama.cpp could not load the adapter: {bindings.recent_errors()}"
        lib.llama_model_free(model)
        raise ModelLoadFailed(reason)
    return adapter


def flash_attention_type(params: LlamaParams) -> int:
    return int(lib.LLAMA_FLASH_ATTN_TYPE_ENABLED if params.flash_attn else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED)
