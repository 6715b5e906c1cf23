"""What building needs of its neighbours: pulls of absent models, conversions in child processes."""

from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Protocol

from services.registry.transfers.progress import Progress
from shared.model_name import ModelName


class Pull(Protocol):
    """One pull under way."""

    def follow(self) -> AsyncGenerator[Progress, None]:
        """Its steps up to success. Raises: the CorralError that ended it."""


class Pulls(Protocol):
    async def pull(self, name: ModelName) -> Pull:
        """Join the pull of that model, or start it."""


class Conversions(Protocol):
    """Each writes a GGUF at `output`, whole or not at all, and tells the share that is done, 0 to 1.

    Raises, all of them: ModelFileInvalid with a reason, InternalError.
    """

    async def convert(self, files: Mapping[str, Path], output: Path, *, tell: Callable[[float], None]) -> None: ...

    async def convert_adapter(
        self, files: Mapping[str, Path], base: Path, output: Path, *, tell: Callable[[float], None]
    ) -> None: ...

    async def quantize(self, source: Path, output: Path, file_type: str, *, tell: Callable[[float], None]) -> None: ...
