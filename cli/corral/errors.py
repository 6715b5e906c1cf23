"""What a user of the command line is told when something cannot be done."""


class CliError(Exception):
    """Ends the command with `Error: <text>` on stderr and exit code 1."""


class ApiError(CliError):
    """The cluster's own refusal, with its text and the HTTP status (0 inside a stream)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unreached(CliError):
    """There was no answer, or it broke off; the same request may succeed later."""
