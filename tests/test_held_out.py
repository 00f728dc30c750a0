"""The committed measurements: what the page says of them is what is computed today."""

from __future__ import annotations

import pytest

from costmodel.runtime.profile import profiles
from tests.runtime import table
from tests.runtime.held_out import names


SETS = [which for which in table.available() if table.PROFILE in profiles()]

STATED = {
    "torchvision, for development": 0.05,
    "timm, blind": 0.05,
    "both": 0.05,
    "registered architectures": 0.05,
    "transfer: batches 1 to 8, sides 128 to 320": 0.08,
}
"""Mean errors that a change of the model may not pass without being seen."""


@pytest.mark.parametrize("which", SETS)
def test_predictions_are_as_good_as_stated(which: str) -> None:
    found = table.judged(which)
    ours = next(iter(found["summaries"].values()))
    baselines = [s for name, s in found["summaries"].items() if "costmodel" not in name]
    assert ours["mape"] <= STATED[which]
    assert all(ours["mape"] < other["mape"] for other in baselines)


@pytest.mark.skipif(not SETS, reason="no set was measured yet")
def test_the_page_has_these_tables() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    assert page == table.written(page, list(table.lines()))


def test_what_is_blind_is_in_no_other_list() -> None:
    development, blind = names("torchvision_development"), names("timm_blind")
    assert (len(set(development)), len(set(blind))) == (26, 30)
    assert not set(development) & set(blind)
    assert len(set(names("transfer"))) == 8
