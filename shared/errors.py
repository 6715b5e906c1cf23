"""Every failure a user or operator can meet, as typed, coded facts. HTTP statuses live in `shared/web.py`.

An error crosses process borders as `ErrorInfo` (code, kind, message, detail), never as a pickled exception.
Messages are Ollama's own wording wherever Ollama has one, because clients match on it.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What a caller can do about it; each kind maps to one HTTP status."""

    INVALID = "invalid"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA = "unsupported_media"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    INTERNAL = "internal"


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An error on the wire between processes."""

    code: str
    kind: Kind
    message: str
    retry_after_s: float | None = None
    detail: dict[str, str | int | float] = {}


class CorralError(Exception):
    """Base of all errors with a code; subclasses fix code and kind, instances carry the message."""

    code = "internal"
    kind = Kind.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        detail: dict[str, str | int | float] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.detail = detail or {}

    def info(self) -> ErrorInfo:
        return ErrorInfo(
            code=self.code,
            kind=self.kind,
            message=self.message,
            retry_after_s=self.retry_after_s,
            detail=self.detail,
        )


class RemoteError(CorralError):
    """An error another process reported; carries that process's code and kind unchanged."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message, retry_after_s=info.retry_after_s, detail=info.detail)
        self.code = info.code
        self.kind = info.kind


class ParameterInvalid(CorralError):
    """The request cannot be understood; the message is the whole story."""

    code, kind = "parameter_invalid", Kind.INVALID


class OptionTypeInvalid(CorralError):
    """An option has the wrong JSON type. Ollama answers 500 here and clients expect it."""

    code, kind = "option_type_invalid", Kind.INTERNAL


class ModelNameInvalid(CorralError):
    code, kind = "model_name_invalid", Kind.INVALID

    def __init__(self, message: str = "invalid model name") -> None:
        super().__init__(message)


class DigestInvalid(CorralError):
    code, kind = "digest_invalid", Kind.INVALID

    def __init__(self) -> None:
        super().__init__("invalid digest format")


class DigestMismatch(CorralError):
    code, kind = "digest_mismatch", Kind.INVALID

    def __init__(self, *, wanted: str, got: str) -> None:
        super().__init__(f'digest mismatch, expected "{wanted}", got "{got}"')


class ModelFileInvalid(CorralError):
    """A GGUF file that is truncated, hostile or not a GGUF at all."""

    code, kind = "model_file_invalid", Kind.INVALID


class TemplateInvalid(CorralError):
    """A Go template that Go would not parse; the message is Go's: `template: :LINE: PROBLEM`."""

    code, kind = "template_invalid", Kind.INVALID


class TemplateFailed(CorralError):
    """A template that cannot be rendered with this data, or not within its limits. Ollama answers 500 here."""

    code, kind = "template_failed", Kind.INTERNAL


class QuantizationUnsupported(CorralError):
    """Weights that cannot be quantized, or not to that type. Ollama answers 500 here and clients expect it."""

    code, kind = "quantization_unsupported", Kind.INTERNAL


class CapabilityMissing(CorralError):
    code, kind = "capability_missing", Kind.INVALID


class ToolCallInvalid(CorralError):
    """A model tried to call a tool and said it wrong. Ollama answers 500 here."""

    code, kind = "tool_call_invalid", Kind.INTERNAL


class ContextLengthExceeded(CorralError):
    """The prompt does not fit the sequence's context. The words are Ollama's, the numbers are added."""

    code, kind = "context_length_exceeded", Kind.INVALID

    def __init__(self, *, prompt_tokens: int, context_tokens: int) -> None:
        super().__init__(
            "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust "
            "the context length in settings, or use a model with a longer context length "
            f"({prompt_tokens} tokens, {context_tokens} available)",
            detail={"prompt_tokens": prompt_tokens, "context_tokens": context_tokens},
        )


class InputTooLong(CorralError):
    """A text to embed does not fit the model's context and must not be cut."""

    code, kind = "input_too_long", Kind.INVALID

    def __init__(self) -> None:
        super().__init__("the input length exceeds the context length")


class TooLarge(CorralError):
    code, kind = "too_large", Kind.TOO_LARGE


class CodingUnsupported(CorralError):
    """A body in a `Content-Encoding` that nobody here reads."""

    code, kind = "coding_unsupported", Kind.UNSUPPORTED_MEDIA


class Unauthenticated(CorralError):
    code, kind = "unauthenticated", Kind.UNAUTHENTICATED


class Forbidden(CorralError):
    code, kind = "forbidden", Kind.FORBIDDEN


class ModelUnknown(CorralError):
    code, kind = "model_unknown", Kind.NOT_FOUND


class ResponseUnknown(CorralError):
    """No response of this caller is kept by that id: it never was, has expired or was deleted."""

    code, kind = "response_unknown", Kind.NOT_FOUND


class BlobUnknown(CorralError):
    code, kind = "blob_unknown", Kind.NOT_FOUND


class TransferUnknown(CorralError):
    code, kind = "transfer_unknown", Kind.NOT_FOUND


class KeyUnknown(CorralError):
    code, kind = "key_unknown", Kind.NOT_FOUND


class KeyTaken(CorralError):
    """The public key is registered already."""

    code, kind = "key_taken", Kind.CONFLICT


class QueueFull(CorralError):
    code, kind = "queue_full", Kind.UNAVAILABLE

    def __init__(self, *, retry_after_s: float) -> None:
        super().__init__(
            "server busy, please try again.  maximum pending requests exceeded", retry_after_s=retry_after_s
        )


class Unavailable(CorralError):
    """Part of the cluster cannot be reached or is leaving; trying again soon is right."""

    code, kind = "unavailable", Kind.UNAVAILABLE


class DeadlineExceeded(CorralError):
    code, kind = "deadline_exceeded", Kind.DEADLINE


class RunnerDied(CorralError):
    """The process that ran the model ended while it worked on this generation."""

    code, kind = "runner_died", Kind.INTERNAL

    def __init__(self, reason: str) -> None:
        super().__init__(f"an error was encountered while running the model: {reason}")


class ModelLoadFailed(CorralError):
    code, kind = "model_load_failed", Kind.INTERNAL


class MemoryExceeded(CorralError):
    """The model cannot fit this worker even with everything else unloaded."""

    code, kind = "memory_exceeded", Kind.INTERNAL


class WorkerBusy(CorralError):
    """The model would fit, but only by evicting a model that is in use; the demand stays queued."""

    code, kind = "worker_busy", Kind.UNAVAILABLE


class UpstreamForbidden(CorralError):
    """A registry that this one may not talk to: not on the list of hosts, or at an address inside the network."""

    code, kind = "upstream_forbidden", Kind.FORBIDDEN


class UpstreamUnknown(CorralError):
    """The other registry does not have it. The kind is Ollama's: clients get 500 and match on the text."""

    code, kind = "upstream_unknown", Kind.INTERNAL

    def __init__(self, message: str = "file does not exist") -> None:
        super().__init__(message)


class UpstreamRefused(CorralError):
    """The other registry said no, and would say so again."""

    code, kind = "upstream_refused", Kind.INTERNAL


class UpstreamFailed(CorralError):
    """The other registry could not be reached, broke off or is in trouble; a later try may succeed."""

    code, kind = "upstream_failed", Kind.INTERNAL


class DownloadCorrupt(CorralError):
    """What the other registry sends is not what the digest names, however often it is asked."""

    code, kind = "download_corrupt", Kind.INTERNAL

    def __init__(self, *, wanted: str, got: str) -> None:
        super().__init__(f"digest mismatch, file must be downloaded again: want {wanted}, got {got}")


class TransferCancelled(CorralError):
    """Somebody ended the pull or push before it was done."""

    code, kind = "transfer_cancelled", Kind.CONFLICT


class StoreFull(CorralError):
    """The model store has no room for what is to come; nothing of it was written."""

    code, kind = "store_full", Kind.INTERNAL

    def __init__(self, *, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"the model store is full: {needed_bytes} bytes are needed and {free_bytes} are free",
            detail={"needed_bytes": needed_bytes, "free_bytes": free_bytes},
        )


class InternalError(CorralError):
    """Anything unforeseen; details are in the log, not in the message."""

    code, kind = "internal", Kind.INTERNAL


class BlobMissing(InternalError):
    """A blob that a manifest or an earlier step promised is not in the store."""
