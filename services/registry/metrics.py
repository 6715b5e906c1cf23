"""Every metric of the registry, declared once."""

import math
from typing import Final

from prometheus_client import Counter, Gauge

TRANSFER_BYTES: Final = Counter("corral_registry_transfer_bytes_total", "Blob bytes received and sent.", ["direction"])
UPLOADS: Final = Counter("corral_registry_uploads_total", "Blob uploads by how they ended.", ["outcome"])
BUILDS: Final = Counter("corral_registry_builds_total", "Models created, by how it ended.", ["outcome"])
INDEX_PUBLISHES: Final = Counter(
    "corral_registry_index_publishes_total", "Attempts to publish the model index.", ["outcome"]
)
MODELS: Final = Gauge("corral_registry_models", "Models in the published index.")
STORE_BYTES: Final = Gauge("corral_registry_store_bytes", "What lies in the blobs folder, when it was last tidied.")
STORE_FREE_BYTES: Final = Gauge(
    "corral_registry_store_free_bytes", "What may still be stored, by the disk and the operator's limit, at last look."
)
STORE_FREE_BYTES.set(math.nan)  # nobody has looked yet
COLLECTED_BYTES: Final = Counter("corral_registry_collected_bytes_total", "Bytes deleted because nobody needed them.")
TRANSFERS: Final = Counter(
    "corral_registry_transfers_total", "Pulls and pushes by how they ended.", ["kind", "outcome"]
)
CORRUPT_DOWNLOADS: Final = Counter(
    "corral_registry_corrupt_downloads_total", "Blobs that were fetched again because their digest was wrong."
)
UPDATES: Final = Counter("corral_registry_updates_total", "Scheduled looks for a new version of a model.", ["outcome"])

# What is counted begins at zero, so that the first of a kind is an increase.
for _kind in ("pull", "push"):
    TRANSFERS.labels(_kind, "done")
for _counter, _outcomes in (
    (UPLOADS, ("stored", "present", "interrupted")),
    (BUILDS, ("created", "internal")),
    (UPDATES, ("updated", "unchanged", "failed")),
    (INDEX_PUBLISHES, ("published", "failed")),
):
    for _outcome in _outcomes:
        _counter.labels(_outcome)
