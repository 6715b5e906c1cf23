"""Continuous batching over one model: decides and mutates here, computes behind the `Backend` protocol."""
