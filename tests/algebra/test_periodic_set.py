"""Sets of whole numbers by their remainders, against counting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.integer_sets.periodic_set import PeriodicSet, dividing


BY_REMAINDER = st.builds(
    PeriodicSet.of, st.integers(1, 24), st.sets(st.integers(-24, 24))
)


@given(st.integers(1, 24), st.sets(st.integers(-24, 24)))
def test_numbers_belong_by_their_remainder_in_lowest_terms(
    modulus: int, values: set[int]
) -> None:
    found = PeriodicSet.of(modulus, values)
    kept = {value % modulus for value in values}
    whole = range(1, 99)
    assert [n in found for n in whole] == [n % modulus in kept for n in whole]
    for step in range(1, found.modulus):  # no smaller period has the same numbers
        shifted = {(value + step) % found.modulus for value in found.residues}
        assert shifted != set(found.residues)


@given(BY_REMAINDER, BY_REMAINDER)
def test_what_two_sets_hold_is_found_without_counting(
    one: PeriodicSet, other: PeriodicSet
) -> None:
    both = one & other
    expected = [n for n in range(1, 600) if n in one and n in other]
    assert expected == [n for n in range(1, 600) if n in both]
    ahead = [n for n in range(7, 600) if n in both]
    assert (both & PeriodicSet.between(7)).first == (ahead[0] if ahead else None)


@given(st.integers(0, 40), st.integers(-40, 40), st.integers(1, 40))
def test_a_modulus_divides_where_it_is_said_to(a: int, c: int, modulus: int) -> None:
    found = dividing(a, c, modulus)
    for x in range(1, 91):
        assert (x in found) == ((a * x + c) % modulus == 0)


@pytest.mark.parametrize(
    ("expected", "modulus", "values"),
    [
        ("no H", 4, []),
        ("every H", 2, [0, 1]),
        ("H even", 4, [0, 2]),
        ("H odd", 2, [1]),
        ("16 divides H", 16, [0]),
        ("H ≡ 11 (mod 32)", 32, [11]),
        ("H mod 32 in {0, 29, 30, 31}", 32, [0, 29, 30, 31]),
        ("H mod 8 not in {3}", 8, [0, 1, 2, 4, 5, 6, 7]),
        (
            "H mod 997 in {0, 2, 4, 6, 7, 9, 10, 11, …, 47, 48, 49}",
            997,
            [0, 2, 4, 6, 7, *range(9, 50)],
        ),
    ],
)
def test_remainders_are_written_as_one_says_them(
    expected: str, modulus: int, values: list[int]
) -> None:
    assert expected == str(PeriodicSet.of(modulus, values))


def test_of_very_many_remainders_a_few_are_written() -> None:
    text = str(PeriodicSet.of(997, range(400)))
    assert text.startswith("H mod 997 in {0, 1, 2,")
    assert text.endswith("397, 398, 399}")
    assert len(text) < 200
