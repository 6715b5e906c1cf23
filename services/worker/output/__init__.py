"""What a model's output means: which of it is thought, which a call of a tool, which the answer. Decided here alone."""
