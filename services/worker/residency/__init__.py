"""Which models are in this worker's memory, for how long, and at whose cost."""
