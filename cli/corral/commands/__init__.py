"""One file per family of commands: each adds its parsers and performs them."""
