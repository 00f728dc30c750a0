"""Reconciliation of tools: the items of which each tool's count is the sum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from costmodel.algebra.symbols import Dim
from costmodel.algebra.tally import total
from costmodel.analysis.conventions import CONVENTIONS, Convention, Item, itemize
from costmodel.analysis.cost import cost
from costmodel.errors import CostModelError, known_are
from costmodel.network.graph import Network


@dataclass(frozen=True, slots=True)
class Account:
    """One tool's number, item by item, in its own unit."""

    convention: Convention
    items: tuple[Item, ...]

    @property
    def total(self) -> Dim:
        """What the tool prints: exactly the sum of the items."""
        return total(item.amount for item in self.items)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The accounts of a network, one for each convention."""

    accounts: tuple[Account, ...]

    def __getitem__(self, name: str) -> Account:
        """Return the account of one convention."""
        for account in self.accounts:
            if account.convention.name == name:
                return account
        known = known_are(name, (account.convention.name for account in self.accounts))
        raise CostModelError(f'unknown convention "{name}"; {known}')

    def __iter__(self) -> Iterator[Account]:
        """Go through the accounts."""
        return iter(self.accounts)

    @property
    def rows(self) -> tuple[tuple[str, str, str, Dim, str], ...]:
        """The table: convention, unit, what is counted, operations, note.

        The items of a convention, and then its total, with the tool that prints it.
        """
        return tuple(
            (account.convention.name, account.convention.unit, *row)
            for account in self.accounts
            for row in (
                *((str(item), item.amount, item.quirk) for item in account.items),
                ("total", account.total, account.convention.tool),
            )
        )


def reconcile(
    network: Network, *, written: Mapping[str, str] | None = None
) -> Reconciliation:
    """Return what every tool counts for a network, item by item.

    ``written`` names what a module does not write as modules, as for
    :meth:`costmodel.analysis.cost.Cost.flops`.

    **Units**: each tool's own, MACs or FLOPs, as it prints them.

    >>> from costmodel.network.build import conv, image, network, relu
    >>> net = network(relu(conv(image(), 8, kernel=3)), batch=1)
    >>> account = reconcile(net)["ptflops"]
    >>> for item in account.items:
    ...     print(item, "=", item.amount)
    conv and linear MACs = 216*H*W
    conv: one addition per bias = 8*H*W
    relu: one operation per element = 8*H*W
    relu: once more = 8*H*W
    >>> account.total
    240*H*W
    """
    rows, forms = cost(network).rows, written or {}
    return Reconciliation(
        tuple(
            Account(convention, itemize(rows, network.batch, name, forms))
            for name, convention in CONVENTIONS.items()
        )
    )
