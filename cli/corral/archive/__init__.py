"""Models in one tar file, to carry them where no network leads. Its layout is Ollama's store's.

    manifests/<host>/<namespace>/<model>/<tag>
    blobs/sha256-<64 hex>

So it can also be unpacked into `~/.ollama/models`.
"""
