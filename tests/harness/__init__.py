"""Real parts, started and stopped for tests."""
