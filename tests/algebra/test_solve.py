"""Conditions and sets of sides, against trying every size."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import sympy
from hypothesis import example, given
from hypothesis import strategies as st
from sympy.logic.boolalg import Boolean

from costmodel.algebra.extent import Extent, normal
from costmodel.algebra.integer_sets.periodic_set import PeriodicSet
from costmodel.algebra.integer_sets.solve import Undecided, decided
from costmodel.algebra.symbols import H, M, W, rho
from costmodel.errors import CostModelError


BRUTE = 240
RELATIONS = {
    sympy.Eq: operator.eq, sympy.Ne: operator.ne, sympy.Ge: operator.ge,
    sympy.Gt: operator.gt, sympy.Le: operator.le, sympy.Lt: operator.lt,
}  # fmt: skip


class Size:
    """A size as sympy's expression, and as Python's function beside it."""

    def __init__(self, formula: sympy.Expr, text: str) -> None:
        """Keep both."""
        self.formula, self.text = formula, text

    def __repr__(self) -> str:
        """Write Python's function."""
        return self.text

    def at(self, n: int) -> int:
        """Compute the size as Python does."""
        return int(eval(self.text, {"H": n, "max": max, "min": min}))  # noqa: S307


def divided(size: Size, divisor: int) -> Size:
    return Size(sympy.floor(size.formula / divisor), f"(({size}) // {divisor})")


def left(size: Size, divisor: int) -> Size:
    # SymPy's own Mod is wrong of multiples of a Mod: 2·(n mod 4) mod 3 is squared.
    whole = sympy.floor(size.formula / divisor)
    return Size(size.formula - divisor * whole, f"(({size}) % {divisor})")


def scaled(size: Size, factor: int, more: int) -> Size:
    return Size(factor * size.formula + more, f"({factor} * ({size}) + {more})")


def summed(one: Size, other: Size) -> Size:
    return Size(one.formula + other.formula, f"({one} + {other})")


def larger(one: Size, other: Size) -> Size:
    return Size(sympy.Max(one.formula, other.formula), f"max({one}, {other})")


def smaller(one: Size, other: Size) -> Size:
    return Size(sympy.Min(one.formula, other.formula), f"min({one}, {other})")


SIZES = st.recursive(
    st.just(Size(H, "H"))
    | st.integers(2, 6).map(lambda m: Size(sympy.Mod(H, m), f"(H % {m})")),
    lambda inner: st.one_of(
        st.builds(divided, inner, st.integers(1, 6)),
        st.builds(left, inner, st.integers(2, 6)),
        st.builds(scaled, inner, st.integers(-3, 3), st.integers(-9, 9)),
        st.builds(summed, inner, inner),
        st.builds(larger, inner, inner),
        st.builds(smaller, inner, inner),
    ),
    max_leaves=4,
)
SETS = st.recursive(
    st.one_of(
        st.builds(
            PeriodicSet.between, st.integers(1, 40), st.none() | st.integers(1, 60)
        ),
        st.builds(PeriodicSet.only, st.lists(st.integers(-2, 60), max_size=5)),
        st.builds(PeriodicSet.of, st.integers(1, 12), st.sets(st.integers(0, 11))),
    ),
    lambda inner: st.one_of(
        st.builds(operator.and_, inner, inner),
        st.builds(operator.or_, inner, inner),
        st.builds(operator.invert, inner),
    ),
    max_leaves=5,
)
PERIODS = st.integers(5, 24).flatmap(
    lambda modulus: st.builds(
        PeriodicSet.of, st.just(modulus), st.sets(st.integers(0, modulus - 1))
    )
)
LONG = st.builds(
    lambda joined, one, other, within: joined(one, other) & within,
    st.sampled_from([operator.and_, operator.or_]), PERIODS, PERIODS,
    st.just(PeriodicSet.between(1)) | st.builds(
        PeriodicSet.between, st.integers(1, 600), st.none() | st.integers(1, 1200)
    ),
)  # fmt: skip
"""Sets of two periods, which repeat themselves after their product only."""


def numbers(sides: PeriodicSet, most: int = BRUTE) -> list[int]:
    return [n for n in range(1, most) if n in sides]


def check(expected: str, condition: Any) -> None:
    assert expected == str(decided(condition))


@given(st.sampled_from(list(RELATIONS)), SIZES, SIZES)
def test_a_relation_holds_exactly_at_the_sides_that_are_found(
    relation: Any, one: Size, other: Size
) -> None:
    found = decided(relation(one.formula, other.formula), H)
    holds = RELATIONS[relation]
    assert isinstance(found, PeriodicSet)
    expected = [n for n in range(1, BRUTE) if holds(one.at(n), other.at(n))]
    assert expected == numbers(found)
    # far out, where only what repeats itself is known
    far = range(10**6, 10**6 + BRUTE)
    assert [n for n in far if n in found] == [
        n for n in far if holds(one.at(n), other.at(n))
    ]


@given(SIZES, st.integers(-9, 9), SIZES, st.integers(2, 8))
def test_conditions_are_joined_as_their_sets_are(
    one: Size, least: int, other: Size, modulus: int
) -> None:
    enough = sympy.Ge(one.formula, least)
    even = sympy.Eq(left(other, modulus).formula, 0)
    first, second = decided(enough, H), decided(even, H)
    assert isinstance(first, PeriodicSet)
    assert isinstance(second, PeriodicSet)
    assert first & second == decided(sympy.And(enough, even), H)
    assert first | second == decided(sympy.Or(enough, even), H)
    assert ~first == decided(sympy.Not(enough), H)


LINES = st.tuples(
    st.sampled_from([1, 2, 3, 4, 6, 32]), st.integers(-12, 12), st.integers(1, 12)
)
"""Slope, offset and stride."""


@given(LINES, LINES)
def test_two_extents_agree_at_the_sides_where_they_are_equal(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    (a, c, s), (b, d, t) = one, other
    left, right = normal(a * M, c, s).value, normal(b * M, d, t).value
    found = decided(sympy.Eq(left, right) & sympy.Ge(left, 1), M)
    assert isinstance(found, PeriodicSet)
    for side in range(1, 300):
        equal = (a * side + c) // s == (b * side + d) // t >= 1
        assert (side in found) == equal


@given(SETS, SETS)
def test_sets_are_joined_and_equal_number_by_number(
    one: PeriodicSet, other: PeriodicSet
) -> None:
    first, second = set(numbers(one)), set(numbers(other))
    assert sorted(first & second) == numbers(one & other)
    assert sorted(first | second) == numbers(one | other)
    assert sorted(set(range(1, BRUTE)) - first) == numbers(~one)
    assert (first == second) == (one == other)
    if one == other:
        assert hash(one) == hash(other)
    assert one.first == min(first, default=None)
    assert one.is_never == (not first)
    assert one.is_always == (len(first) == BRUTE - 1)


def sixes(modulus: int) -> PeriodicSet:
    """Return the numbers whose remainder is below 6."""
    return PeriodicSet.of(modulus, range(6))


@given(SETS | LONG)
@example(sixes(7) & sixes(8))
@example(~(sixes(7) & sixes(8)))
@example(sixes(13) | sixes(17))
@example(sixes(7) & sixes(8) & PeriodicSet.between(100, 1000))
def test_what_is_written_says_which_numbers_they_are(sides: PeriodicSet) -> None:
    says = reader(str(sides))
    repeating = sides.pieces[-1].start + 2 * sides.modulus
    every = range(1, max(BRUTE, repeating))
    assert [n for n in every if n in sides] == [n for n in every if says(n)]


def reader(text: str) -> Callable[[int], bool]:
    """Return a test of whether a number is one of those that a text speaks of."""
    either = [list(map(read_part, part.split(" and "))) for part in text.split(" or ")]
    return lambda n: any(all(holds(n) for holds in parts) for parts in either)


def read_part(part: str) -> Callable[[int], bool]:  # noqa: PLR0911 - one a form
    words = part.replace("(mod ", "").replace(")", "").split()
    listed = read_list(part.partition("{")[2].rstrip("}"))
    match words:
        case ["every" | "no" as word, "H"]:
            return lambda _: word == "every"
        case ["H", "even" | "odd" as word]:
            return lambda n: n % 2 == (word == "odd")
        case [modulus, "divides", "H"]:
            return lambda n: n % int(modulus) == 0
        case ["H", "≡", rest, modulus]:
            return lambda n: n % int(modulus) == int(rest)
        case ["H", "mod", modulus, "in", *_]:
            return lambda n: n % int(modulus) in listed
        case ["H", "mod", modulus, "not", "in", *_]:
            return lambda n: n % int(modulus) not in listed
        case ["H", "in", *_]:
            return lambda n: n in listed
        case [low, "≤", "H", "≤", high]:
            return lambda n: int(low) <= n <= int(high)
        case ["H", "=" | "≤" | "≥" as sign, bound]:
            holds = {"=": operator.eq, "≤": operator.le, "≥": operator.ge}[sign]
            return lambda n: bool(holds(n, int(bound)))
        case _:
            raise AssertionError(part)


def read_list(text: str) -> set[int]:
    """Return the numbers of a list, in which 2, …, 9 are all from 2 to 9."""
    words = text.split(", ") if text else []
    known = {int(word) for word in words if word != "…"}
    for before, word, after in zip(words, words[1:], words[2:]):
        if word == "…":
            known |= set(range(int(before), int(after)))
    return known


FLOOR = sympy.floor
HALVED = FLOOR(FLOOR(FLOOR(FLOOR(H / 2) / 2) / 2) / 2)


@pytest.mark.parametrize(
    ("expected", "condition"),
    [
        ("every H", sympy.Eq(FLOOR(FLOOR(H / 2) / 2), FLOOR(H / 4))),
        ("no H", sympy.Gt(FLOOR(H / 2), H)),
        ("H ≥ 75", sympy.Ge(FLOOR((H - 11) / 32), 2)),
        ("H = 224", sympy.Eq(H, 224)),
        ("H ≤ 4 or H ≥ 6", sympy.Ne(H, 5)),
        ("H even", sympy.Eq(2 * FLOOR(H / 2), H)),
        ("16 divides H", sympy.Eq(16 * HALVED, H)),
        ("H ≡ 1 (mod 4)", sympy.Eq(4 * FLOOR(H / 4) + 1, H)),
        ("H mod 32 in {0, 29, 30, 31}", FLOOR((H + 3) / 32) * 32 - H >= 0),
        ("H ≥ 33 and 16 divides H", (H >= 33) & sympy.Eq(sympy.Mod(H, 16), 0)),
        ("H ≤ 2", FLOOR((H + 1) / 2) < 2),
        ("H = 7 or H ≥ 9", FLOOR((H + 1) / 2) >= FLOOR((H + 7) / 3)),
        ("H ≤ 1000000000", H <= 10**9),
        ("H ≤ 666663", sympy.Max(H, 10**6) >= 3 * FLOOR(H / 2) + 6),
    ],
)
def test_answers_are_written_to_be_read(expected: str, condition: Any) -> None:
    check(expected, condition)


def test_a_tower_of_halvings_is_joined_again_at_multiples_only() -> None:
    # A U-Net of four levels: what is doubled again has to be as large as what was cut.
    levels = [H]
    for _ in range(4):
        levels.append(FLOOR(levels[-1] / 2))
    joints = [sympy.Eq(2 * low, high) for high, low in pairwise(levels)]
    check("16 divides H", sympy.And(*joints))


@pytest.mark.parametrize(
    ("problem", "condition"),
    [
        ("undecided: it is about H and W", sympy.Eq(H, W)),
        ("undecided: it is about H and W", sympy.Ge(FLOOR(H / 2) * FLOOR(W / 2), 4)),
        ("undecided: rho is not a positive whole number", sympy.Ge(FLOOR(rho * 7), 4)),
        ("undecided: H**2 is not a floor of multiples of H", sympy.Eq(H * H, 49)),
        (
            "undecided: it repeats itself after 1000003 pixels only",
            sympy.Eq(sympy.Mod(H, 1000003), 5),
        ),
        ("undecided: it is about no side", sympy.true),
    ],
)
def test_what_is_not_known_is_not_guessed(problem: str, condition: Boolean) -> None:
    answer = decided(condition)
    assert isinstance(answer, Undecided)
    assert problem == str(answer)


def test_a_condition_of_a_condition_is_undecided() -> None:
    odd = sympy.Eq(sympy.Eq(sympy.Mod(H, 2), 1), H > 7)
    assert isinstance(decided(odd), Undecided)


def test_a_decided_answer_has_no_symbol_left_but_its_side() -> None:
    assert decided(sympy.true, H) == PeriodicSet.between(1)
    assert decided(sympy.false, W) == PeriodicSet.only((), "W")


def test_opaque_extents_stand_for_their_floors() -> None:
    half = Extent(H, 0, 2).atom
    check("H ≥ 6", sympy.Ge(half, 3))


def test_long_periods_are_looked_through_once() -> None:
    answer = decided(sympy.Le(sympy.Mod(H, 4999), sympy.Mod(FLOOR(H / 2), 2)))
    assert isinstance(answer, PeriodicSet)
    assert numbers(answer, 10**4) == [4999, 9998, 9999]
    assert [n for n in numbers(answer, 25000) if n > 19990] == [19996, 24995]


def test_sets_of_two_sides_are_kept_apart() -> None:
    with pytest.raises(CostModelError, match=r"^sets of H and of W are apart$"):
        PeriodicSet.between(3) & PeriodicSet.between(3, name="W")
    assert PeriodicSet.between(3) != PeriodicSet.between(3, name="W")
    assert PeriodicSet.between(3) != 3
