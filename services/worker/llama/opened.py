"""A model opened with llama.cpp and its context: opening, growing, closing. What is computed is the subclasses'."""

import ctypes
from abc import ABC, abstractmethod
from typing import Any

import llama_cpp as lib

from services.worker.llama import bindings
from services.worker.llama.devices import devices
from services.worker.llama.params import LlamaParams
from services.worker.llama.vocabulary import LlamaVocabulary
from shared.cluster_state import Device
from shared.errors import ModelLoadFailed


class OpenedModel(ABC):
    """One model, its LoRA adapters and one context.

    Raises (on opening): ModelLoadFailed with what llama.cpp had to say.
    """

    def __init__(self, params: LlamaParams) -> None:
        bindings.start()
        self._params = params
        self._n_threads = params.n_threads
        self._model, self._adapters = _open_weights(params)
        self.vocabulary = LlamaVocabulary(lib.llama_model_get_vocab(self._model))
        self.layers_count = int(lib.llama_model_n_layer(self._model)) + 1
        self.n_ctx_train = int(lib.llama_model_n_ctx_train(self._model))
        self._open_context(min(params.n_ctx_seq, self.n_ctx_train))

    @abstractmethod
    def _shape(self, context: Any, context_tokens: int) -> None:
        """Say in llama.cpp's context parameters what one of `context_tokens` a sequence is like."""

    def _open_context(self, context_tokens: int) -> None:
        context = lib.llama_context_default_params()
        context.n_seq_max = self._params.n_seq_max
        context.n_threads = context.n_threads_batch = self._n_threads
        with_flash = self._params.flash_attn
        context.flash_attn_type = (
            lib.LLAMA_FLASH_ATTN_TYPE_ENABLED if with_flash else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        context.no_perf = True
        self._shape(context, context_tokens)
        self._ctx: Any = lib.llama_init_from_model(self._model, context)
        if not self._ctx:
            raise ModelLoadFailed(f"llama.cpp could not create the context: {bindings.recent_errors()}")
        bindings.apply_adapters(self._ctx, self._adapters)
        self._memory = lib.llama_get_memory(self._ctx)
        self.context_tokens = context_tokens

    def devices(self) -> tuple[Device, ...]:
        """The GPUs that may hold some of it, as they are now."""
        return devices() if self._params.n_gpu_layers else ()

    @property
    def device_layers_count(self) -> int:
        """How many of the layers are on GPUs.

        Source: llama.cpp `src/llama-model.cpp`, where layers get their devices.
        """
        wanted = self._params.n_gpu_layers
        if not lib.llama_supports_gpu_offload():
            return 0
        return self.layers_count if wanted < 0 else min(wanted, self.layers_count)

    def set_threads(self, n_threads: int) -> None:
        if n_threads != self._n_threads:
            lib.llama_set_n_threads(self._ctx, n_threads, n_threads)
            self._n_threads = n_threads

    def grow(self, context_tokens: int) -> None:
        lib.llama_free(self._ctx)
        self._open_context(min(context_tokens, self.n_ctx_train))

    def close(self) -> None:
        lib.llama_free(self._ctx)
        lib.llama_model_free(self._model)


def _open_weights(params: LlamaParams) -> tuple[Any, list[Any]]:
    """The model and its LoRA adapters, which are freed with it.

    Raises: ModelLoadFailed with what llama.cpp had to say (nothing is left open).
    """
    model_params = lib.llama_model_default_params()
    model_params.n_gpu_layers = params.n_gpu_layers
    if params.n_gpu_layers == 0:
        # Otherwise llama.cpp would still keep buffers on every GPU, to compute long prompts there.
        no_devices = (ctypes.c_void_p * 1)()
        model_params.devices = ctypes.cast(no_devices, ctypes.c_void_p)
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
