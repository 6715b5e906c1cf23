"""What a conversion's parent and child say to each other: one job on stdin, reports as JSON lines on stdout."""

import msgspec

from shared.errors import ErrorInfo


class Convert(msgspec.Struct, frozen=True, kw_only=True, tag="convert"):
    """Make a GGUF of the files of a model folder: relative names to where their content lies."""

    files: dict[str, str]
    output: str


class ConvertAdapter(msgspec.Struct, frozen=True, kw_only=True, tag="convert_adapter"):
    """Make a GGUF adapter of the files of a LoRA folder, for models like the GGUF `base`."""

    files: dict[str, str]
    base: str
    output: str


class Quantize(msgspec.Struct, frozen=True, kw_only=True, tag="quantize"):
    """Write the GGUF `source` again with the type that llama.cpp numbers `file_type`."""

    source: str
    output: str
    file_type: int
    n_threads: int


Work = Convert | ConvertAdapter | Quantize


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Work and what it may use. `memory_bytes_max` bounds what the child allocates, not the files it maps."""

    work: Work
    parent_pid: int
    memory_bytes_max: int


class Progressed(msgspec.Struct, frozen=True, tag="progressed"):
    """`share` of the work is done, from 0 to 1."""

    share: float


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The output is complete."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The work cannot be done; nothing more follows."""

    error: ErrorInfo


Report = Progressed | Finished | Failed
