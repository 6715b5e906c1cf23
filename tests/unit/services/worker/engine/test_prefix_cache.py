"""Finding cached beginnings."""

from services.worker.engine.prefix_cache import PrefixTree


def tree_of(**contents: list[int]) -> PrefixTree:
    tree = PrefixTree()
    for name, tokens in contents.items():
        tree.insert(int(name.removeprefix("slot")), tokens)
    return tree


def test_an_empty_tree_matches_nothing() -> None:
    assert PrefixTree().matches([1, 2, 3]) == {}


def test_every_slot_is_found_with_the_length_it_shares() -> None:
    tree = tree_of(slot0=[1, 2, 3, 4, 5], slot2=[1, 2, 3, 9], slot3=[7])
    assert tree.matches([1, 2, 3, 4, 8]) == {0: 4, 2: 3}


def test_a_prompt_shorter_than_what_is_held_matches_as_a_whole() -> None:
    assert tree_of(slot0=[1, 2, 3]).matches([1, 2]) == {0: 2}


def test_two_slots_may_hold_the_same_tokens() -> None:
    tree = tree_of(slot0=[1, 2], slot1=[1, 2])
    assert tree.matches([1, 2, 3]) == {0: 2, 1: 2}
    tree.remove(0)
    assert tree.matches([1, 2, 3]) == {1: 2}


def test_a_slot_that_holds_something_new_is_forgotten_where_it_was() -> None:
    tree = tree_of(slot0=[1, 2, 3])
    tree.insert(0, [4, 5])
    assert tree.matches([1, 2, 3]) == {}
    assert tree.matches([4, 5]) == {0: 2}


def test_removing_an_unknown_slot_changes_nothing() -> None:
    tree = tree_of(slot0=[1, 2])
    tree.remove(5)
    assert tree.matches([1, 2]) == {0: 2}


def test_a_slot_that_holds_nothing_matches_nothing() -> None:
    assert tree_of(slot0=[]).matches([1]) == {}
