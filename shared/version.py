"""What this server is, and what it says it is."""

from typing import Final

CORRAL_VERSION: Final = "0.1.0"
"""The version of the cluster's own parts, which belong together; the same as in `pyproject.toml`."""

OLLAMA_VERSION: Final = "0.33.0"
"""The version of Ollama whose API this is; clients gate features on it, so it is a plain dotted number."""
