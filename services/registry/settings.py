"""Settings of the registry, read from the environment in `__main__` and passed down as values."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    host: Annotated[str, Meta(description="Address to listen on. The registry has no keys: keep it inside.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on.")] = 11435
    redis_url: Annotated[str, Meta(description="Redis or Valkey that the model index is published to.")] = (
        "redis://127.0.0.1:6379/0"
    )
    models_dir: Annotated[str, Meta(description="The model store, in Ollama's layout; `~` is the user's home.")] = (
        "~/.corral/models"
    )
    body_bytes_max: Annotated[int, Meta(ge=1024, description="Largest JSON body. Blobs have no limit.")] = 64 << 20
    upload_idle_s: Annotated[float, Meta(gt=0, description="How long an upload may stand still.")] = 300.0
    drain_s: Annotated[float, Meta(ge=0, description="How long open requests may go on after SIGTERM.")] = 30.0
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$", description="Least level logged.")] = "info"
