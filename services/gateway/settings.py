"""The gateway's settings; the only home of their defaults."""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.settings import Secret


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    host: Annotated[str, Meta(min_length=1, description="address to listen on; beyond loopback keys are required")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=1, le=65_535, description="port of the public API")] = 11_434
    redis_url: Annotated[Secret, Meta(description="the cluster's Redis or Valkey; it may hold a password")] = Secret(
        "redis://127.0.0.1:6379/0"
    )
    registry_url: Annotated[str, Meta(description="the registry that keeps the models")] = "http://127.0.0.1:11435"
    require_keys: Annotated[bool, Meta(description="refuse requests without an API key")] = False
    admin_key: Annotated[Secret, Meta(description="an API key with the role admin, to make the first keys with")] = (
        Secret()
    )
    service_key: Annotated[
        Secret, Meta(description="an API key with the role service, for a web page set up beside the gateway")
    ] = Secret()
    forwarded_user_secret: Annotated[
        Secret, Meta(description="what services sign the names of their users with; unset, they are believed unsigned")
    ] = Secret()
    public_urls: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/,\s]+(, *https?://[^/,\s]+)*)?$",
            description="addresses clients use, comma-separated; behind TLS and for pulls with Ollama's own keys",
        ),
    ] = ""
    trusted_proxies: Annotated[
        str, Meta(description="networks of our own proxies, comma-separated; only they may say who the client is")
    ] = ""
    registry_token_life_s: Annotated[float, Meta(ge=1, description="how long a token of `/v2/token` is good for")] = (
        3600.0
    )
    blob_url_life_s: Annotated[
        float, Meta(ge=1, description="how long the ranges of a blob may be read at the address given for them")
    ] = 43_200.0
    origins: Annotated[
        str,
        Meta(description="web origins beyond local ones that may call the API, comma-separated, * matches any text"),
    ] = ""
    queue_depth_max: Annotated[int, Meta(ge=1, description="generations waiting per model before a 503")] = 512
    open_generations_max: Annotated[int, Meta(ge=1, description="generations this process holds before a 503")] = 4096
    body_bytes_max: Annotated[int, Meta(ge=1024, description="size of a JSON body; blobs have no limit")] = 64 << 20
    embed_inputs_max: Annotated[int, Meta(ge=1, description="texts that one request may have embedded")] = 8192
    generation_deadline_s: Annotated[float, Meta(gt=0, description="longest life of one generation")] = 3600.0
    watch_interval_s: Annotated[float, Meta(gt=0, le=10, description="time between two looks for lost jobs")] = 1.0
    started_wait_s: Annotated[float, Meta(gt=0, description="how long a taken job may show no start")] = 2.0
    no_worker_wait_s: Annotated[float, Meta(ge=0, description="how long a job waits while no worker is alive")] = 30.0
    redis_wait_s: Annotated[float, Meta(gt=0, description="longest wait for one command of Redis")] = 5.0
    heartbeat_s: Annotated[
        float, Meta(gt=0, description="how long a stream may be silent before it says that it is alive")
    ] = 10.0
    summary_life_s: Annotated[
        float, Meta(ge=1, description="how long a summary of a long chat's older turns is kept")
    ] = 86_400.0
    choices_max: Annotated[int, Meta(ge=1, description="answers one of OpenAI's requests may ask for")] = 128
    responses_kept_s: Annotated[
        float, Meta(ge=1, description="how long a response of `/v1/responses` is kept after its last use")
    ] = 86_400.0
    response_bytes_max: Annotated[
        int, Meta(ge=1024, description="size of a response that is kept, its input included")
    ] = 4 << 20
    user_responses_bytes_max: Annotated[
        int, Meta(ge=1024, description="size of all kept responses of one user; the longest unused are forgotten first")
    ] = 256 << 20
    smoke_interval_s: Annotated[
        int, Meta(ge=0, le=3600, description="time between two smoke generations of a model; 0 is never")
    ] = 300
    smoke_wait_s: Annotated[float, Meta(gt=0, le=300, description="how long a smoke generation may take")] = 60.0
    drain_notice_s: Annotated[
        float, Meta(ge=0, description="how long requests are served on after SIGTERM while `/readyz` says 503")
    ] = 0.0
    drain_s: Annotated[float, Meta(ge=0, description="how long open requests may end after SIGTERM")] = 30.0
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$", description="least level logged")] = "info"
