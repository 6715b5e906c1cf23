"""Corral's own routes, described."""

from typing import Final

from services.gateway.cluster_report import ClusterReport
from services.gateway.openapi.bodies.models import KeyBody, KeyRestoreBody
from services.gateway.openapi.operation import (
    BYTES,
    DONE,
    REGISTRY_ERRORS,
    Dialect,
    Media,
    Operation,
    Reply,
    getting,
    head_of,
    says,
    text,
)
from services.gateway.openapi.replies import corral

_HEALTH: Final = getting("/healthz", Dialect.CORRAL, "Whether the process lives.", {200: text("It does.")})
_READY: Final = getting("/readyz", Dialect.CORRAL, "Whether requests can be served.", {200: text("They can.")}, 503)
_METRICS: Final = getting("/metrics", Dialect.CORRAL, "Measurements for Prometheus.", {200: text("Measurements.")})
_DOCUMENT: Final = getting(
    "/openapi.json",
    Dialect.CORRAL,
    "This description.",
    {200: Reply(description="It.", media=(Media(type=dict),)), 304: Reply(description="It has not changed.")},
)

CORRAL_ROUTES: Final = (
    getting(
        "/api/queue/me", Dialect.CORRAL, "What the caller has waiting and running.", says(corral.CorralQueueReply), 503
    ),
    getting(
        "/api/transfers",
        Dialect.CORRAL,
        "Pulls and pushes under way.",
        says(corral.CorralTransfersReply),
        *REGISTRY_ERRORS,
    ),
    Operation(
        method="GET",
        path="/api/blobs/{digest}",
        dialect=Dialect.CORRAL,
        summary="A blob, or ranges of it, for workers on other machines.",
        replies={
            200: Reply(description="All of it.", media=(Media(content_type=BYTES, type=bytes),)),
            206: Reply(description="A part of it.", media=(Media(content_type=BYTES, type=bytes),)),
        },
        errors=(404, *REGISTRY_ERRORS),
    ),
    Operation(
        method="DELETE",
        path="/api/transfers/{id}",
        dialect=Dialect.CORRAL,
        summary="End a pull or push.",
        replies=DONE,
        errors=(404, *REGISTRY_ERRORS),
    ),
    getting("/api/keys", Dialect.CORRAL, "All API keys, without their secrets.", says(corral.CorralKeysReply), 503),
    Operation(
        method="POST",
        path="/api/keys",
        dialect=Dialect.CORRAL,
        summary="Make an API key, or let in the owner of an ssh key.",
        body=Media(type=KeyBody),
        replies=says(corral.CorralKey),
        errors=(409, 503),
    ),
    Operation(
        method="DELETE",
        path="/api/keys/{id}",
        dialect=Dialect.CORRAL,
        summary="Revoke an API key.",
        replies=DONE,
        errors=(404, 503),
    ),
    getting("/api/backup/keys", Dialect.CORRAL, "All keys' records, for a backup.", says(corral.CorralKeysBackup), 503),
    Operation(
        method="POST",
        path="/api/restore/keys",
        dialect=Dialect.CORRAL,
        summary="Bring back the keys of a backup.",
        body=Media(type=KeyRestoreBody),
        replies=says(corral.CorralKeysRestored),
        errors=(503,),
    ),
    getting("/api/cluster", Dialect.CORRAL, "The parts of the cluster, as they say they are.", says(ClusterReport)),
    Operation(
        method="GET",
        path="/api/smoke",
        dialect=Dialect.CORRAL,
        summary="What came of the smoke generations of each model.",
        query={"model": "Only this one."},
        replies=says(corral.CorralSmokesReply),
        errors=(400, 404, 503),
    ),
    *(one for operation in (_HEALTH, _READY, _METRICS, _DOCUMENT) for one in (operation, head_of(operation))),
)
