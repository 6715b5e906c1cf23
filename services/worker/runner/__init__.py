"""The runner: a child process that computes one model. No Redis, no asyncio; it lives and dies with its pipe."""
