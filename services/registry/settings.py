"""Settings of the registry, read from the environment in `__main__` and passed down as values."""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.settings import Secret


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    host: Annotated[str, Meta(description="Address to listen on. The registry has no keys: keep it inside.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on.")] = 11435
    redis_url: Annotated[Secret, Meta(description="Redis or Valkey that the model index is published to.")] = Secret(
        "redis://127.0.0.1:6379/0"
    )
    models_dir: Annotated[str, Meta(description="The model store, in Ollama's layout; `~` is the user's home.")] = (
        "~/.corral/models"
    )
    body_bytes_max: Annotated[int, Meta(ge=1024, description="Largest JSON body. Blobs have no limit.")] = 64 << 20
    upload_idle_s: Annotated[float, Meta(gt=0, description="How long an upload may stand still.")] = 300.0
    upstream_hosts: Annotated[str, Meta(description="Registries that models may be pulled from and pushed to.")] = (
        "registry.ollama.ai,hf.co,huggingface.co"
    )
    upstream_credentials: Annotated[
        Secret, Meta(description="Logins: [http://]host=user:password, comma-separated.")
    ] = Secret()
    upstream_key_path: Annotated[str, Meta(description="OpenSSH ed25519 key to show to registries.")] = ""
    upstream_connect_s: Annotated[float, Meta(gt=0, description="How long connecting may take.")] = 15.0
    upstream_stall_s: Annotated[float, Meta(gt=0, description="How long a registry may send nothing.")] = 30.0
    pull_parts_parallel: Annotated[int, Meta(ge=1, le=64, description="Parts of a blob fetched at a time.")] = 8
    pull_part_bytes: Annotated[int, Meta(ge=1 << 16, description="Bytes of a part; more for very large blobs.")] = (
        16 << 20
    )
    transfers_max: Annotated[int, Meta(ge=1, description="Pulls and pushes under way; more wait.")] = 4
    update_models: Annotated[str, Meta(description="Models whose new versions are pulled, comma-separated.")] = ""
    update_at: Annotated[
        str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="When to look for them: HH:MM, local time.")
    ] = "04:00"
    upload_part_bytes: Annotated[int, Meta(ge=1024, description="Largest part of a pushed blob.")] = 64 << 20
    mirror: Annotated[bool, Meta(description="Fetch models of other registries when /v2/ is asked for them.")] = True
    store_bytes_max: Annotated[int, Meta(ge=0, description="Largest sum of blobs; 0 is the disk's size.")] = 0
    collect_grace_s: Annotated[float, Meta(gt=0, description="How long a blob no model needs is kept.")] = 3600.0
    collect_interval_s: Annotated[float, Meta(gt=0, description="Time between two collections.")] = 900.0
    conversions_max: Annotated[int, Meta(ge=1, description="Conversions and quantizations at a time.")] = 1
    conversion_memory_bytes_max: Annotated[int, Meta(ge=1 << 28, description="Memory of one of them.")] = 8 << 30
    conversion_threads: Annotated[int, Meta(ge=1, description="Threads of one of them.")] = 2
    conversion_stall_s: Annotated[float, Meta(gt=0, description="How long one may make no progress.")] = 600.0
    drain_s: Annotated[float, Meta(ge=0, description="How long open requests may go on after SIGTERM.")] = 30.0
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$", description="Least level logged.")] = "info"
