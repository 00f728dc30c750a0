"""What a counting convention is: rules by kind of operator, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from costmodel.errors import CostModelError
from costmodel.network.operators import OPERATORS


FORMS = ("module", "function", "arithmetic")
"""How code may write an operator: as a module such as ``nn.ReLU()``, as a function such
as ``F.relu(x)``, or in bare tensor arithmetic such as ``x.mean([2, 3])``."""

MODULE, FUNCTION, CALLED, ANYHOW = FORMS[:1], FORMS[1:2], FORMS[:2], FORMS
"""Which of them a tool notices. Modules call functions, so most notice both."""

MAC, FLOP = "MAC", "FLOP"


@dataclass(frozen=True, slots=True)
class Rule:
    """So many operations for each operator of some kinds.

    ``amount`` is a sum of products of whole numbers and of the quantities in
    :mod:`costmodel.analysis.conventions.layer`.
    """

    kinds: str
    amount: str
    what: str
    quirk: str = ""
    """A sentence on what the tool does that nobody would expect."""
    seen: tuple[str, ...] = CALLED
    """The forms that the tool notices."""
    is_whole: bool = False
    """True where the amount is that of the batch, not of one sample."""
    is_joint: bool = False
    """True where the kinds are one item together."""

    @property
    def items(self) -> tuple[str, ...]:
        """The kinds that are items of their own; an empty name for all together."""
        return ("",) if self.is_joint else tuple(self.kinds.split())


@dataclass(frozen=True, slots=True)
class Convention:
    """How one tool counts. A kind of operator is ruled, or stands under ``zero``."""

    name: str
    tool: str
    unit: str
    rules: tuple[Rule, ...]
    zero: str
    one_sample: tuple[tuple[str, ...], ...] = ()
    """What rules see whose counts are of one sample, however large the batch."""
    batch_quirk: str = ""
    """The sentence on that."""
    by_kind: Mapping[str, tuple[Rule, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Sort the rules by kind, and refuse what is said twice or of nothing."""
        by_kind: dict[str, tuple[Rule, ...]] = dict.fromkeys(self.zero.split(), ())
        for rule in self.rules:
            for kind in rule.kinds.split():
                if kind in self.zero.split():
                    raise CostModelError(f"{self.name}: {kind} has a rule, and is zero")
                by_kind[kind] = (*by_kind.get(kind, ()), rule)
        if unknown := by_kind.keys() - OPERATORS.keys():
            names = ", ".join(sorted(unknown))
            raise CostModelError(f"{self.name}: no operators called {names}")
        object.__setattr__(self, "by_kind", by_kind)

    def of(self, kind: str) -> tuple[Rule, ...]:
        """Return the rules of a kind of operator; none is an error, not a zero."""
        if kind not in self.by_kind:
            raise CostModelError(f'convention "{self.name}" has no rule for {kind}')
        return self.by_kind[kind]
