"""What this server says it is."""

from typing import Final

OLLAMA_VERSION: Final = "0.33.0"
"""The version of Ollama whose API this is; clients gate features on it, so it is a plain dotted number."""
