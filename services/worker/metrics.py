"""Every metric of the worker, declared once."""

from prometheus_client import Counter, Gauge, Histogram

from shared.metrics import LOAD_BUCKETS_S, TOKEN_BUCKETS_S

PROMPT_TOKENS = Counter("corral_worker_prompt_tokens", "Prompt tokens by where they came from.", ["source"])
GENERATED_TOKENS = Counter("corral_worker_generated_tokens", "Tokens generated.", ["model"])
TOKEN_SECONDS = Histogram(
    "corral_worker_token_seconds",
    "Mean time between two tokens of a generation, once for each generation.",
    ["model"],
    buckets=TOKEN_BUCKETS_S,
)
GENERATIONS = Counter("corral_worker_generations", "Generations by how they ended.", ["outcome"])
SLOTS_IN_USE = Gauge("corral_worker_slots_in_use", "Slots occupied by running generations.")
SLOTS = Gauge("corral_worker_slots", "Slots that the models in memory have.")
RESIDENT_MODELS = Gauge("corral_worker_resident_models", "Models in memory, those that load or leave included.")
RESIDENT_BYTES = Gauge(
    "corral_worker_resident_bytes", "Memory these models take beside that of GPUs, as this worker reckons it."
)
MODEL_BYTES = Gauge("corral_worker_model_bytes", "Memory a model takes, while it is in memory.", ["model"])
MEMORY_BYTES_MAX = Gauge("corral_worker_memory_max_bytes", "Memory that models may take here.")
GPU_VISIBLE = Gauge("corral_worker_gpu_visible", "1 where the machine shows a GPU, whether or not llama.cpp uses it.")
DEVICE_MEMORY_BYTES = Gauge(
    "corral_worker_device_memory_bytes",
    "Memory of each GPU that models can be put on, when a runner last looked.",
    ["device", "kind"],
)
DEVICE_RESIDENT_BYTES = Gauge(
    "corral_worker_device_resident_bytes", "Memory models take on GPUs, as this worker reckons it."
)
DEVICE_MEMORY_BYTES_MAX = Gauge("corral_worker_device_memory_max_bytes", "Memory of GPUs that models may take here.")
MODEL_LOAD_SECONDS = Histogram(
    "corral_worker_model_load_seconds", "Time to make a model resident.", ["outcome"], buckets=LOAD_BUCKETS_S
)
EVICTIONS = Counter("corral_worker_evictions", "Models unloaded, by reason.", ["reason"])
RUNNER_EXITS = Counter("corral_worker_runner_exits", "Runner processes that died by themselves.")

# What is counted begins at zero, so that the first of a kind is an increase.
for _reason in ("evicted", "expired", "requested", "died"):
    EVICTIONS.labels(_reason)
for _outcome in ("ok", "model_load_failed"):
    MODEL_LOAD_SECONDS.labels(_outcome)
