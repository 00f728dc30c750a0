"""Remainders: sets of whole numbers, and where two extents agree, against counting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel.algebra.extent import Extent, normal
from costmodel.algebra.residues import Residues, agreement, dividing
from costmodel.algebra.symbols import H, M, W, symbol
from costmodel.errors import CostModelError


RESIDUES = st.builds(Residues.of, st.integers(1, 24), st.sets(st.integers(-24, 24)))
LINES = st.tuples(
    st.sampled_from([1, 2, 3, 4, 6, 32]), st.integers(-12, 12), st.integers(1, 12)
)
"""Slope, offset and stride."""


@given(st.integers(1, 24), st.sets(st.integers(-24, 24)))
def test_numbers_belong_by_their_remainder_in_lowest_terms(
    modulus: int, values: set[int]
) -> None:
    found = Residues.of(modulus, values)
    kept = {value % modulus for value in values}
    assert [n in found for n in range(99)] == [n % modulus in kept for n in range(99)]
    for step in range(1, found.modulus):  # no smaller period has the same numbers
        shifted = {(value + step) % found.modulus for value in found.values}
        assert shifted != set(found.values)


@given(RESIDUES, RESIDUES)
def test_what_two_sets_hold_is_found_without_counting(
    one: Residues, other: Residues
) -> None:
    both = one.meet(other)
    expected = [n for n in range(600) if n in one and n in other]
    assert expected == [n for n in range(600) if n in both]
    ahead = [n for n in range(7, 600) if n in both]
    assert both.first(7) == (ahead[0] if ahead else None)


@given(st.integers(0, 40), st.integers(-40, 40), st.integers(1, 40))
def test_a_modulus_divides_where_it_is_said_to(a: int, c: int, modulus: int) -> None:
    found = dividing(a, c, modulus)
    for x in range(90):
        assert (x in found) == ((a * x + c) % modulus == 0)


@given(LINES, LINES)
def test_two_extents_agree_at_the_sides_where_they_are_equal(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    (a, c, s), (b, d, t) = one, other
    found = agreement(normal(a * M, c, s), normal(b * M, d, t))
    for side in range(1, 300):
        left, right = (a * side + c) // s, (b * side + d) // t
        assert (side in found) == (left == right >= 1)


def test_agreements_are_written_as_sides() -> None:
    whole, down, up = Extent(H), Extent(H, 0, 2), Extent(H, 1, 2)
    assert str(agreement(down, down)) == "every H, H ≥ 2"
    assert str(agreement(down, up)) == "H mod 2 = 0, H ≥ 2"
    assert str(agreement(whole, up)) == "H ∈ {1}"
    assert str(agreement(whole, Extent(H, 1))) == "no H"
    assert str(agreement(whole, Extent(H, -9, 2))) == "no H"
    assert str(Residues.of(32, [0, 29, 30, 31])) == "H mod 32 ∈ {0, 29, 30, 31}"


def test_extents_of_different_sides_cannot_be_compared() -> None:
    with pytest.raises(
        CostModelError, match=r"^agreement: H and W are of different si"
    ):
        agreement(Extent(H), Extent(W))
    for extent in (Extent(7), Extent(H * W), Extent(H + W), normal(H, 0, symbol("s"))):
        with pytest.raises(CostModelError):
            agreement(extent, extent)
