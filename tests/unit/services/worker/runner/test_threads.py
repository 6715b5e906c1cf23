"""Threads that wait for cores are given up, and tried again."""

from services.worker.runner.threads import PATIENCE_MAX_S, PATIENCE_MIN_S, WINDOW_S, ThreadBalance, waited_s


class Machine:
    """A machine on which, of the threads in use beyond `cores_free`, each waits all the time."""

    def __init__(self, threads_max: int, cores_free: float) -> None:
        self.balance = ThreadBalance(threads_max)
        self.cores_free = cores_free
        self.now_s = 1000.0
        self.waited_s = 5.0
        self.seen: list[int] = []

    def run(self, seconds: float) -> list[int]:
        """Steps of 100 ms; gives the thread counts of this time, each once as it changed."""
        self.seen = [self.balance.threads]
        for _ in range(round(seconds / 0.1)):
            self.now_s += 0.1
            self.waited_s += 0.1 * max(0.0, self.balance.threads - self.cores_free)
            self.balance.observe(lambda: self.waited_s, now_s=self.now_s)
            if self.balance.threads != self.seen[-1]:
                self.seen.append(self.balance.threads)
        return self.seen


def test_all_threads_compute_while_nobody_waits() -> None:
    assert Machine(4, cores_free=4).run(30) == [4]


def test_what_corral_itself_takes_costs_no_thread() -> None:
    assert Machine(2, cores_free=1.9).run(30) == [2]


def test_a_busy_process_beside_it_costs_one_thread_within_three_windows() -> None:
    assert Machine(2, cores_free=1.3).run(3 * WINDOW_S + 0.2) == [2, 1]


def test_a_burst_of_one_window_costs_nothing() -> None:
    machine = Machine(2, cores_free=2)
    machine.run(1)
    machine.waited_s += WINDOW_S
    assert machine.run(3) == [2]


def test_several_busy_processes_cost_several_threads_at_once_and_one_always_stays() -> None:
    assert Machine(8, cores_free=5).run(2) == [8, 5]
    assert Machine(2, cores_free=0).run(PATIENCE_MIN_S - 1) == [2, 1]


def test_a_thread_is_tried_again_less_and_less_often() -> None:
    machine = Machine(2, cores_free=1.0)
    tries = machine.run(PATIENCE_MIN_S * 4).count(2) - 1
    assert tries == 2
    machine.run(600)
    assert 600 / PATIENCE_MAX_S - 1 <= machine.seen.count(2) <= 600 / PATIENCE_MAX_S + 4


def test_all_threads_are_back_soon_after_the_other_process_has_gone() -> None:
    machine = Machine(4, cores_free=2)
    machine.run(3)
    machine.cores_free = 4
    assert machine.run(4 * PATIENCE_MIN_S)[-1] == 4


def test_idle_time_is_not_measured() -> None:
    machine = Machine(2, cores_free=0)
    machine.balance.observe(lambda: 0.0, now_s=0.0)
    machine.balance.pause()
    machine.balance.observe(lambda: 100.0, now_s=100.0)
    assert machine.balance.threads == 2


def test_the_workers_division_is_the_most() -> None:
    balance = ThreadBalance(8)
    balance.allow(3)
    assert balance.threads == 3


def test_the_kernel_tells_how_long_threads_waited() -> None:
    assert 0.0 < waited_s() < 1e6
