"""What a client was told is here stays while its push goes on, and no longer."""

from fakes.clock import FakeClock
from services.registry.promises import Promises, repository_key
from shared.digest import digest_of
from shared.model_name import parse_model_name

ONE, TWO = digest_of(b"one"), digest_of(b"two")


def test_a_promise_ends_with_its_time(clock: FakeClock) -> None:
    promises = Promises(clock, keep_s=10)
    promises.make("a", ONE)
    clock.advance(9.5)
    assert promises.holds("a", ONE)
    assert not promises.holds("b", ONE)
    assert promises.digests() == {ONE}
    clock.advance(0.5)
    assert not promises.holds("a", ONE)
    assert promises.digests() == frozenset()


def test_a_push_that_goes_on_keeps_all_it_was_promised(clock: FakeClock) -> None:
    promises = Promises(clock, keep_s=10)
    promises.make("a", ONE)
    promises.make("b", TWO)
    clock.advance(6)
    promises.renew("a")
    clock.advance(6)
    assert promises.digests() == {ONE}
    clock.advance(6)
    promises.renew("a")
    assert promises.digests() == frozenset()


def test_a_fulfilled_promise_leaves_those_made_to_others(clock: FakeClock) -> None:
    promises = Promises(clock, keep_s=10)
    for repository in ("a", "b"):
        promises.make(repository, ONE)
        promises.make(repository, TWO)
    promises.withdraw("a", [ONE])
    promises.withdraw("nobody", [ONE])
    assert not promises.holds("a", ONE)
    assert promises.holds("a", TWO)
    assert promises.holds("b", ONE)


def test_all_tags_and_spellings_of_a_repository_share_a_key() -> None:
    assert repository_key(parse_model_name("Team/Bot:V1")) == repository_key(parse_model_name("team/bot"))
    assert repository_key(parse_model_name("team/bot")) != repository_key(parse_model_name("team/bot2"))
