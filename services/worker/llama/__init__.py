"""llama.cpp behind the engine's `Backend` protocol: the only importer of `llama_cpp`. Its own names win here."""
