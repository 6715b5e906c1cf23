"""When the clock of the updates strikes."""

from datetime import datetime

from services.registry.transfers.jobs import Jobs
from services.registry.transfers.transfers import Transfers


async def no_updates() -> None:
    """Nothing to do."""


class NoRecords:
    """Where nothing is recorded."""

    async def remember(self, *_: object, **__: object) -> None:
        """Nothing to do."""

    async def forget(self, _transfer_id: str) -> bool:
        return False


def test_updates_are_looked_for_every_day_at_the_time_that_was_set() -> None:
    jobs = Jobs("", Transfers(NoRecords(), {}, running_max=1), no_updates, update_at="04:30")
    daily = jobs._daily()
    times = []
    now = datetime(2026, 3, 1, 12, 0)  # noqa: DTZ001 - arq's clock is local
    for _ in range(2):
        daily.calculate_next(now)
        assert daily.next_run is not None
        now = daily.next_run
        times.append(now.strftime("%d %H:%M"))
    assert times == ["02 04:30", "03 04:30"]
