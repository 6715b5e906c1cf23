"""How llama.cpp opens a model. Free of llama.cpp itself, so that the worker can say it to a runner."""

import msgspec


class LlamaParams(msgspec.Struct, frozen=True, kw_only=True):
    """How to open the model. `n_ctx_seq` is one slot's tokens; `n_gpu_layers` below zero leaves it to llama.cpp.

    `projector` is the path of the file that turns images into the model's embeddings.
    `adapters` are paths of LoRA files, all applied at full strength to whatever is computed. With `embeddings` the
    model gives vectors instead of logits; every batch stands alone, so `n_seq_max` is how many sequences it may hold.
    """

    path: str
    n_ctx_seq: int
    n_seq_max: int
    n_batch: int
    n_threads: int
    adapters: tuple[str, ...] = ()
    projector: str | None = None
    n_gpu_layers: int = -1
    main_gpu: int = 0
    use_mmap: bool = True
    flash_attn: bool = False
    kv_unified: bool = False
    embeddings: bool = False
