"""The page of searches, against the spaces themselves and the printed command."""

from __future__ import annotations

import json
import re
import shlex
from functools import partial
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import costmodel as cm
from costmodel import reports
from costmodel.cli import main
from costmodel.cli.commands.search.examples import EXAMPLES, Example, worked_searches
from costmodel.cli.commands.search.search import search as command
from costmodel.cli.report_subjects import registered_subject
from costmodel.nas.spaces.space import LEVELS
from costmodel.reports.pages.search import ROWS, sections
from tests.reports.test_reports import Page


NAMES = [example.space for example in EXAMPLES]


def part() -> reports.Part:
    return reports.Part(
        "lenet5", "lenet5", "lenet5", partial(registered_subject, "lenet5"), key="x"
    )


@pytest.fixture(scope="module")
def works() -> list[reports.WorkedSearch]:
    return worked_searches()


@pytest.fixture(scope="module")
def site(works: list[reports.WorkedSearch], tmp_path_factory: Any) -> Path:
    where = Path(tmp_path_factory.mktemp("search") / "report")
    reports.write([part()], where, searches=lambda: works)
    return where


def page_of(site: Path) -> str:
    return unescape((site / "search.html").read_text(encoding="utf-8"))


def section_of(site: Path, name: str) -> str:
    found = re.search(
        rf'<section aria-labelledby="{name}">.*?</section>', page_of(site), re.DOTALL
    )
    assert found, name
    return found[0]


def rows_of(section: str) -> list[tuple[list[int], str]]:
    """Return the values and the text of each network in the table of a front."""
    rows = re.findall(r"<tr>(<td.*?)</tr>", section)
    found = []
    for row in rows:
        number, *values = re.findall(r'<td class="number">([\d,]+)</td>', row)
        (text,) = re.findall(r"<code>(.*?)</code>", row)
        assert int(number) == len(found)
        found.append(([int(value.replace(",", "")) for value in values], text))
    return found


def twin_of(site: Path) -> list[dict[str, Any]]:
    read = json.loads((site / "data" / "search.json").read_text(encoding="utf-8"))
    assert read["schema"] == "costmodel.report.search/1"
    searches: list[dict[str, Any]] = read["searches"]
    return searches


def test_every_space_has_a_search() -> None:
    assert set(NAMES) == set(cm.spaces())
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_numbers_of_a_front_are_what_the_space_says_anew(
    site: Path, example: Example
) -> None:
    rows = rows_of(section_of(site, example.space))
    assert 3 <= len(rows) <= ROWS
    fresh = cm.space(example.space, **example.options)
    points = [fresh.point(text) for _, text in rows]
    metrics = (example.minimize, example.maximize)
    costs = fresh.costs(points, metrics)
    for number, (values, _) in enumerate(rows):
        assert values == [int(costs[metric][number]) for metric in metrics]


def test_sizes_are_those_of_the_spaces(
    site: Path, works: list[reports.WorkedSearch]
) -> None:
    table = page_of(site).partition("</table>")[0]
    for work in works:
        assert work.sizes["encoding"] == cm.space(work.name).size()
        (row,) = re.findall(rf'<tr>\s*<th[^>]*><a href="#{work.name}">.*?</tr>', table,
                            re.DOTALL)  # fmt: skip
        cells = re.findall(r'<td class="number">(.*?)</td>', row)
        for level, cell in zip(LEVELS, cells, strict=True):
            size = work.sizes[level]
            assert cell == f"{size:,}" if size is not None else "missing" in cell
    sizes = {work.name: tuple(work.sizes.values()) for work in works}
    assert sizes["nasbench101"] == (1_293_208, 423_624, None)
    assert sizes["nasbench201"] == (15_625, 12_751, 5_260)
    assert sizes["nats_size"][0] == 32_768


def test_the_twin_says_what_the_page_says(
    site: Path, works: list[reports.WorkedSearch]
) -> None:
    for told, work in zip(twin_of(site), works, strict=True):
        section = section_of(site, work.name)
        names = [one["name"] for one in told["objectives"]]
        front = [([one[n] for n in names], one["text"]) for one in told["front"]]
        assert rows_of(section) == front[:ROWS]
        assert told["size"] == work.sizes
        for key in ("title", "says", "lesson", "python", "command"):
            assert told[key] in section
        source = told["provenance"]
        for shown in (source["space"], f"engine {source['engine']}",
                      f"seed {source['seed']}", f"{source['evaluations']:,} networks",
                      source["costmodel"]):  # fmt: skip
            assert shown in section
        assert (told["random_front"] is None) == (work.baseline is None)


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_the_command_on_the_page_is_accepted(site: Path, example: Example) -> None:
    section = section_of(site, example.space)
    assert example.command in section
    program, name, *arguments = shlex.split(example.command.replace("\\\n", ""))
    assert (program, name) == ("costmodel", "search")
    given = command.make_context("search", arguments).params
    assert given["name"] == example.space
    assert given["low"] == (example.minimize,)
    assert given["high"] == (example.maximize,)
    assert given["limits"] == ((example.limit,) if example.limit else ())
    asked = (given["engine"], given["evaluations"], given["seed"])
    assert asked == (example.engine, example.evaluations, example.seed)
    assert len(given["settings"]) == len(example.options)


def test_the_command_and_the_call_repeat_the_search(
    site: Path, works: list[reports.WorkedSearch]
) -> None:
    number = NAMES.index("nasbench201")
    arguments = shlex.split(works[number].command.replace("\\\n", ""))[1:]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["front"] == twin_of(site)[number]["front"]
    names: dict[str, Any] = {}
    exec(works[number].python, names)  # noqa: S102 - our own page, tested here
    assert names["found"].front == works[number].found.front


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_the_space_that_the_call_names_is_the_one_searched(
    example: Example, works: list[reports.WorkedSearch]
) -> None:
    (call,) = re.findall(r"cm\.(space\(.*?\)),\n", example.python, re.DOTALL)
    made = eval(f"cm.{call}", {"cm": cm})  # noqa: S307 - our own page, tested here
    assert repr(made) == repr(works[NAMES.index(example.space)].found.space)


def test_what_the_page_says_of_the_fronts_holds(
    works: list[reports.WorkedSearch],
) -> None:
    fronts = {w.name: [one.text for one in w.found.front] for w in works}
    values = {w.name: [one.values for one in w.found.front] for w in works}
    deepest = values["nasbench201"]
    steps = {(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(deepest)}
    assert steps == {(3_932_160, 15)}
    assert not any("3x3~" in t.replace("pool_3x3", "") for t in fronts["nasbench201"])
    assert fronts["nasbench101"][-1].startswith("maxpool3x3,maxpool3x3,maxpool3x3")
    widths = [tuple(map(int, text.split(":"))) for text in fronts["nats_size"]]
    assert all(w[0] <= max(w[1:]) for w in widths)
    assert all(w[0] == 8 for w in widths[: len(widths) // 2])
    expansions = [re.findall(r":\d-(\d)", text)[0] for text in fronts["mobile"]]
    assert expansions == ["3", "4", "6"]
    assert all("initial=24 " in text for text in fronts["regnet"])
    nasnet = works[NAMES.index("nasnet")]
    assert nasnet.baseline
    best, other = nasnet.found.front[-1], nasnet.baseline.front[-1]
    assert best.values[0] < other.values[0]
    assert best.values[1] > other.values[1]


def test_cells_are_drawn_and_named_apart(site: Path) -> None:
    section = section_of(site, "nasbench201")
    assert section.count('<figure class="drawing') == 3
    assert section_of(site, "nasnet").count('<figure class="drawing') == 6
    assert '<figure class="drawing' not in section_of(site, "regnet")
    ids = Page(site / "search.html").ids
    assert len(ids) == len(set(ids))
    assert page_of(site).count("<h1") == 1
    assert "<script src=" not in page_of(site).partition("<body>")[2]


def test_the_page_says_that_nothing_was_trained(site: Path) -> None:
    assert "No network was trained" in page_of(site)
    assert "cost alone finds no accurate network" in page_of(site)


def test_charts_show_the_front_and_a_limit(
    site: Path, works: list[reports.WorkedSearch]
) -> None:
    for work in works:
        section = section_of(site, work.name)
        for one in work.found.front:
            assert f"{one.text}: " in section
        assert ("dashed steps" in section) == (work.baseline is not None)
    assert "dotted line is the limit" in section_of(site, "regnet")
    assert "dotted line" not in section_of(site, "mobile")


def test_the_same_searches_give_the_same_bytes(
    site: Path, works: list[reports.WorkedSearch]
) -> None:
    for section in sections(works):
        assert unescape(section.chart) in page_of(site)
        for cell in section.cells:
            assert unescape(cell.drawn.svg) in page_of(site)


def test_what_did_not_change_is_not_searched_again(site: Path) -> None:
    forbidden = partial(pytest.fail, "nothing changed")
    assert reports.write([part()], site, searches=forbidden).anew == 0


@pytest.mark.parametrize(
    ("asked", "expected"), [("--all", worked_searches), ("lenet5", None)]
)
def test_only_the_report_of_everything_has_searches(
    asked: str, expected: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def write(*_: Any, searches: Any, **__: Any) -> reports.Written:
        given.append(searches)
        return reports.Written(tmp_path / "index.html", (), 0)

    monkeypatch.setattr(reports, "write", write)
    result = CliRunner().invoke(main, ["report", asked, "-o", str(tmp_path / "site")])
    assert result.exit_code == 0
    assert given == [expected]
