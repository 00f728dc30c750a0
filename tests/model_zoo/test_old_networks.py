"""Networks that an earlier version wrote, one of each family: they cost the same."""

from __future__ import annotations

import pytest

from tests.network.serialization.test_old_networks import FAMILIES, check


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_of_schema_1_costs_what_it_did(name: str) -> None:
    check(name)
