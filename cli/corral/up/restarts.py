"""How long to wait before a service that ended is started again. Pure."""

from typing import Final

STABLE_S: Final = 60.0
FIRST_DELAY_S: Final = 0.5
DELAY_S_MAX: Final = 30.0
DOUBLINGS_MAX: Final = 16


def quick_deaths(before: int, lived_s: float) -> int:
    """Deaths in a row, this one included; a service that lived long enough starts counting anew."""
    return 1 if lived_s >= STABLE_S else before + 1


def restart_delay_s(deaths: int) -> float:
    """Doubles with every death in a row up to the limit, so a service that cannot live starts twice a minute."""
    assert deaths >= 1
    return min(DELAY_S_MAX, FIRST_DELAY_S * 2.0 ** min(deaths - 1, DOUBLINGS_MAX))
