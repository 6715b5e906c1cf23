"""Every metric of the registry, declared once."""

from typing import Final

from prometheus_client import Counter, Gauge

TRANSFER_BYTES: Final = Counter("corral_registry_transfer_bytes_total", "Blob bytes received and sent.", ["direction"])
UPLOADS: Final = Counter("corral_registry_uploads_total", "Blob uploads by how they ended.", ["outcome"])
BUILDS: Final = Counter("corral_registry_builds_total", "Models created, by how it ended.", ["outcome"])
INDEX_PUBLISHES: Final = Counter(
    "corral_registry_index_publishes_total", "Attempts to publish the model index.", ["outcome"]
)
MODELS: Final = Gauge("corral_registry_models", "Models in the published index.")
