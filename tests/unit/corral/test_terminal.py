"""What a terminal shows, and what a log file gets instead."""

import io
import re

import pytest
from rich.console import Console

from corral.terminal import MovingDisplay, PlainDisplay, display_on, show_event
from fakes.clock import FakeClock
from fakes.display import RecordingDisplay

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


def console(*, width: int = 80, terminal: bool = True, **environ: str) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system="standard",
        _environ=environ,
        highlight=False,
    )


def written(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def pull(on: Console) -> None:
    with display_on(on) as shown:
        shown.step("pulling manifest")
        shown.bar("pulling 0123456789ab", 0, 2_000_000_000)
        shown.bar("pulling ba9876543210", 5, 10)
        shown.bar("pulling 0123456789ab", 2_000_000_000, 2_000_000_000)
        shown.step("success")


def test_a_log_gets_a_line_for_each_step_and_each_bar() -> None:
    log = console(terminal=False)
    pull(log)
    assert written(log).splitlines() == [
        "pulling manifest",
        "pulling 0123456789ab",
        "pulling ba9876543210",
        "success",
    ]


def test_a_long_transfer_says_now_and_then_in_a_log_how_far_it_is() -> None:
    log, clock = console(terminal=False), FakeClock()
    shown = PlainDisplay(log, clock.monotonic_s)
    for minute in range(3):
        shown.bar("pulling", minute * 500_000_000, 2_000_000_000)
        clock.advance(29)
        shown.bar("pulling", minute * 500_000_000, 2_000_000_000)
        clock.advance(31)
    assert written(log).splitlines() == [
        "pulling",
        "pulling: 25 %, 500 MB of 2 GB",
        "pulling: 50 %, 1 GB of 2 GB",
    ]


def test_a_step_is_told_once_however_often_it_is_reported() -> None:
    log = console(terminal=False)
    with display_on(log) as shown:
        for text in ("one", "one", "two", "one"):
            shown.step(text)
    assert written(log).splitlines() == ["one", "two", "one"]


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    terminal = console(width=width)
    pull(terminal)
    assert isinstance(display_on(terminal), MovingDisplay)
    lines = re.split(r"[\r\n]+", CONTROL.sub("", written(terminal)))
    assert max(map(len, lines)) <= width


def test_a_terminal_keeps_every_step_and_every_bar() -> None:
    terminal = console(width=120)
    pull(terminal)
    shown = CONTROL.sub("", written(terminal))
    order = [shown.rindex(text) for text in ("pulling manifest", "pulling 0123", "pulling ba98", "success")]
    assert order == sorted(order)
    assert "pulling manifest" in [line.strip() for line in re.split(r"[\r\n]+", shown)]
    assert "100%" in shown
    assert "2.0/2.0 GB" in shown
    assert "50%" in shown


def test_sizes_and_speeds_show_only_where_there_is_room() -> None:
    def drawn(width: int) -> str:
        terminal = console(width=width)
        pull(terminal)
        return CONTROL.sub("", written(terminal))

    assert "2.0 GB" not in drawn(40)
    assert "2.0/2.0 GB" in drawn(70)


def test_colours_are_left_out_when_no_color_is_set() -> None:
    coloured, plain = console(), console(NO_COLOR="1")
    pull(coloured)
    pull(plain)
    assert COLOUR.search(written(coloured))
    assert not COLOUR.search(written(plain))


def test_a_dumb_terminal_gets_plain_lines() -> None:
    dumb = console(TERM="dumb")
    pull(dumb)
    assert "\x1b" not in written(dumb)


def test_texts_are_shown_as_they_are() -> None:
    for terminal in (console(terminal=False), console()):
        with display_on(terminal) as shown:
            shown.step("creating [bold]layer :smile:")
            shown.bar("uploading [red].gguf", 1, 2)
        assert "[bold]layer :smile:" in written(terminal)
        assert "[red].gguf" in written(terminal)


def test_a_failure_leaves_the_cursor_visible() -> None:
    terminal = console()

    def fail() -> None:
        with display_on(terminal) as shown:
            shown.bar("pulling", 1, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert written(terminal).rindex("\x1b[?25h") > written(terminal).rindex("\x1b[?25l")


def test_events_with_a_total_are_bars_and_others_are_steps() -> None:
    shown = RecordingDisplay()
    for event in (
        {"status": "pulling manifest"},
        {"status": "pulling 0123", "digest": "sha256:0123", "total": 10},
        {"status": "pulling 0123", "digest": "sha256:0123", "total": 10, "completed": 4},
        {"digest": "sha256:0123", "total": 10, "completed": 10},
        {},
    ):
        show_event(shown, event)
    assert shown.steps == ["pulling manifest"]
    assert shown.bars == [("pulling 0123", 0, 10), ("pulling 0123", 4, 10), ("sha256:0123", 10, 10)]
