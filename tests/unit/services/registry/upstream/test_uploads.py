"""How long an upload waits between its tries."""

from services.registry.upstream.uploads import UploadLimits


def test_the_first_failure_is_followed_at_once_and_the_others_ever_later() -> None:
    limits = UploadLimits(part_bytes=1, retry_pause_s=1.0)
    assert [limits.pause_s(failures) for failures in range(1, 6)] == [0.0, 1.0, 2.0, 4.0, 8.0]
