"""The worker's settings and their defaults; `docs/configuration.md` describes them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.settings import Secret

PREFIX = "CORRAL_WORKER_"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 11440
    redis_url: Secret = Secret("redis://127.0.0.1:6379/0")
    registry_url: str = "http://127.0.0.1:11435"
    registry_key: Secret = Secret()
    models_dir: str = ""
    cache_dir: str = "~/.corral/cache"
    num_parallel: Annotated[int, Meta(ge=1, le=256)] = 4
    max_loaded_models: Annotated[int, Meta(ge=1)] = 3
    memory_bytes_max: Annotated[int, Meta(ge=0)] = 0
    device_memory_bytes_max: Annotated[int, Meta(ge=0)] = 0
    keep_alive_s: float = 300.0
    context_tokens: Annotated[int, Meta(ge=256)] = 4096
    threads: Annotated[int, Meta(ge=0)] = 0
    step_target_ms: Annotated[float, Meta(gt=0)] = 250.0
    report_interval_ms: Annotated[float, Meta(ge=0)] = 40.0
    flash_attention: bool = False
    kv_unified: bool = False
    load_timeout_s: Annotated[float, Meta(gt=0)] = 300.0
    drain_s: Annotated[float, Meta(ge=0)] = 30.0
    log_level: str = "info"
