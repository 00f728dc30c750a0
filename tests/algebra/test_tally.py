"""Tallies add kind by kind, and sums of counts stay exact."""

from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.symbols import H, N, W, is_equal
from costmodel.algebra.tally import KINDS, Tally, total, total_tally


COUNTS = st.integers(0, 2**70) | st.sampled_from([H, N * W, 3 * H + 1])
TALLIES = st.builds(Tally, *[COUNTS] * len(KINDS))


def check(expected: Tally, actual: Tally) -> None:
    for kind in KINDS:
        assert is_equal(getattr(expected, kind), getattr(actual, kind))


@given(TALLIES, TALLIES, TALLIES)
def test_tallies_are_a_commutative_monoid(one: Tally, two: Tally, three: Tally) -> None:
    check(one + (two + three), (one + two) + three)
    check(one + two, two + one)
    assert one == one + Tally()


@given(TALLIES, TALLIES, st.integers(0, 9))
def test_repeating_distributes_over_adding(one: Tally, two: Tally, times: int) -> None:
    check(one * times + two * times, (one + two) * times)
    check(total_tally([one] * times), one * times)


def test_kinds_are_kept_apart() -> None:
    expected = Tally(mac=2, add=3, mul=4, div=5, exp=6, compare=7)
    parts = [Tally(**{kind: count}) for count, kind in enumerate(KINDS, start=2)]
    assert expected == total_tally(parts)


@given(st.lists(st.integers(-(2**70), 2**70)))
def test_a_total_of_numbers_is_an_int(numbers: list[int]) -> None:
    assert sum(numbers) == total(numbers)
    assert type(total(numbers)) is int


def test_a_total_whose_symbols_cancel_is_an_int() -> None:
    assert total([H, 3, -H, 2**60]) == 2**60 + 3
    assert type(total([H, 3, -H])) is int


def test_a_total_of_formulas_is_one_sum() -> None:
    assert total([H, 2, N * W, 3, H]) == 2 * H + N * W + 5
