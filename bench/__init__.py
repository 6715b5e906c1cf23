"""Load generator over HTTP: Corral and llama.cpp's own server, measured in the same run. Knows no service's code."""
