"""`python -m services.registry.conversion`: one conversion, as `children.py` starts it."""

import os
from collections.abc import Callable

from services.registry.conversion.child import serve
from services.registry.conversion.messages import Convert, ConvertAdapter, Work


def _do(work: Work, tell: Callable[[float], None]) -> None:
    """Imports no more than the work at hand needs: numpy and llama.cpp are slow to start."""
    if isinstance(work, Convert):
        from services.registry.conversion.convert_child import convert  # noqa: PLC0415

        convert(work, tell)
    elif isinstance(work, ConvertAdapter):
        from services.registry.conversion.adapter_child import convert_adapter  # noqa: PLC0415

        convert_adapter(work, tell)
    else:
        from services.registry.conversion.quantize_child import quantize  # noqa: PLC0415

        quantize(work, tell)


if __name__ == "__main__":
    # numpy's matrix library would start a thread and reserve memory for every core; nothing is multiplied here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    serve(_do)
