"""The report: complete, offline, escaped, written whole or not at all."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from xml.dom import minidom

import pytest
import sympy

from costmodel import reports
from costmodel.algebra.symbols import H, N, W, alpha, rho, symbol
from costmodel.analysis.cost import cost
from costmodel.analysis.evidence.printed import Check, Verdict, verify
from costmodel.errors import CostModelError, MissingDependencyError
from costmodel.network.registry import find, load
from costmodel.network.registry.printed_figures import Published
from costmodel.reports import Subject
from costmodel.reports.charts import accuracy_cost, label_placement
from costmodel.reports.data.network_record import Record
from costmodel.reports.drawings import layout
from costmodel.reports.drawings import network as drawing
from costmodel.reports.formulas import mathml
from costmodel.reports.optional import library
from costmodel.reports.pages import templating
from costmodel.reports.site.manifest import MARKER


NAMES = ("lenet5", "resnet18", "mobilenet_v1")
CHECKS = (Check("macs", "an oracle", 5, 5), Check("parameters", "another", 7, 8))
S = symbol("S")


def make(name: str, /, **changes: object) -> Subject:
    found = find(name)
    side = found.resolution
    subject = Subject(
        found,
        load(name),
        load(name, resolution=side, batch=1),
        tuple(verify([found])),
        CHECKS if name == "resnet18" else (),
        "" if name == "resnet18" else "no oracle is installed",
    )
    return replace(subject, architecture=replace(found, **changes))


SUBJECTS = [make(name) for name in NAMES]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("site") / "report"
    assert reports.write(SUBJECTS, where).index == where / "index.html"
    return where


class Page(HTMLParser):
    """The tags of a page, its ids and its links."""

    def __init__(self, path: Path) -> None:
        """Read the page."""
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, its id and its links."""
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src", "xlink:href"):
                self.links.append(value or "")


def html_of(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def bytes_of(site: Path) -> dict[str, bytes]:
    files = (path for path in site.rglob("*") if path.is_file())
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in files}


def page_of(site: Path, name: str) -> str:
    return (site / "architectures" / f"{name}.html").read_text(encoding="utf-8")


def test_two_runs_write_the_same_bytes(site: Path, tmp_path: Path) -> None:
    again = [make(name) for name in NAMES]
    reports.write(again, tmp_path / "other")
    assert bytes_of(tmp_path / "other") == bytes_of(site)


def test_every_link_resolves_and_only_arxiv_is_outside(site: Path) -> None:
    for path in html_of(site):
        for link in Page(path).links:
            if re.match(r"https?:|//", link):
                assert link.startswith("https://arxiv.org/abs/"), (path, link)
                continue
            file, _, fragment = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.is_file(), (path, link)
            is_asked = fragment.startswith("?")  # of a script of the page
            assert not fragment or is_asked or fragment in Page(target).ids, (
                path,
                link,
            )


def test_nothing_is_loaded_from_outside(site: Path) -> None:
    style = (site / "style.css").read_text(encoding="utf-8")
    assert "url(" not in style
    assert "@import" not in style
    for path in html_of(site):
        text = path.read_text(encoding="utf-8")
        assert "default-src 'none'" in text
        assert not re.search(r"<(img|iframe|object|embed|link)[^>]*https?:", text)


def test_ids_are_unique_on_each_page(site: Path) -> None:
    for path in html_of(site):
        repeated = [name for name, n in Counter(Page(path).ids).items() if n > 1]
        assert not repeated, path


SCRIPT = re.compile(r'<script src="(\.\./)?(data/)?[a-z]+\.js"></script>')
"""The only scripts that pages may have: files of ours."""


def test_pages_have_one_main_heading_and_no_script_but_ours(site: Path) -> None:
    for path in html_of(site):
        tags = Counter(Page(path).tags)
        text = path.read_text(encoding="utf-8")
        assert tags["script"] == len(SCRIPT.findall(text)) == text.count("<script")
        assert (tags["h1"], tags["main"], tags["title"] > 0) == (1, 1, True)


def test_every_network_is_a_row_of_the_index(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    for subject in SUBJECTS:
        assert f'href="architectures/{subject.architecture.name}.html"' in text
        assert f'<data value="{subject.cost.macs}"' in text
        known = subject.top1 is not None
        assert (f'aria-label="{subject.architecture.name}: top-1' in text) == known


def test_every_layer_that_costs_is_a_row_of_its_page_and_all_are_in_the_csv(
    site: Path,
) -> None:
    for subject in SUBJECTS:
        name = subject.architecture.name
        with (site / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        assert [line["name"] for line in lines] == [n.name for n in subject.bound.nodes]
        for quantity in mathml.QUANTITIES:
            total = sum(int(line[quantity]) for line in lines)
            assert total == subject.cost.metric(quantity)
        costly = {
            line["name"]
            for line in lines
            if any(line[q] != "0" for q in mathml.QUANTITIES)
        }
        text = page_of(site, name)
        table = text[text.index('<table class="layers">') :]
        rows = re.findall(r'<tr><th scope="row">([^<]*)', table)
        listed = [
            node.name
            for block in drawing.outline(subject.bound)
            for node in block.nodes
            if node.name in costly
        ]
        assert rows == [*listed, "Total"]


def test_drawings_fold_repeats_and_lead_to_details(site: Path) -> None:
    text = page_of(site, "mobilenet_v1")
    assert "block7 ×5" in text
    linked = set(re.findall(r'<a href="#(block-\d+)"><rect', text))
    assert linked == set(re.findall(r'<details id="(block-\d+)">', text))
    assert not re.search(r"<!DOCTYPE svg|<\?xml", text)
    # The outline, a drawing of each kind of block, and the memory.
    assert len(re.findall("<svg", text)) == 2 + len(linked)
    assert 0 < len(linked) < len(drawing.outline(SUBJECTS[2].bound))


def test_what_skips_a_block_is_drawn_as_an_edge() -> None:
    network = make("resnet18").bound
    single = drawing.outline(network, 0)
    assert len(drawing._edges(single)) == network.graph.number_of_edges()
    assert any(target - source > 1 for source, target in drawing._edges(single))


def test_without_a_layout_engine_the_page_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(layout, "find_spec", lambda name: None)  # noqa: ARG005
    monkeypatch.setattr(layout.shutil, "which", lambda name: None)  # noqa: ARG005
    reports.write(SUBJECTS[:1], tmp_path / "report")
    text = page_of(tmp_path / "report", "lenet5")
    assert "neither pygraphviz nor the program dot was found" in text
    assert '<g class="edges"' not in text
    assert not list((tmp_path / "report" / "drawings").glob("*.svg"))
    assert "5×5 conv by table, 16" in text


def test_a_layout_that_takes_too_long_is_given_up_and_the_next_one_is_made() -> None:
    engine = layout.Engine()
    assert engine.laid_out("digraph {a -> b}", "plain", 60).text
    dense = "".join(f"{a} -> {b};" for a in range(90) for b in range(a))
    late = engine.laid_out(f"digraph {{{dense}}}", "plain", 0.1)
    assert (late.text, "longer than 0.1 seconds" in late.reason) == ("", True)
    assert engine.laid_out("digraph {a -> b}", "plain", 60).text
    engine.close()
    wrong = engine.laid_out("digraph {", "plain", 60)
    assert (wrong.text, wrong.reason) == ("", layout.FAILED)
    engine.close()


def test_a_network_that_does_not_fold_is_not_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drawing, "MOST_BLOCKS", 5)
    drawn = drawing.draw(SUBJECTS[0])
    assert not drawn.svg
    assert "13 blocks that cannot be merged" in drawn.reason


def hostile() -> None:
    """<script>alert("x")</script>: a summary."""


def test_text_that_looks_like_html_is_escaped(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>'
    changes = {"family": evil, "paper": evil, "departures": (evil,)}
    row = Published("top1", evil, (), None, None, evil)
    verdict = Verdict("lenet5", row, None, "recorded")
    subject = make("lenet5", **changes, build=hostile)
    subject = replace(subject, note=evil, verdicts=(verdict,))
    reports.write([subject], tmp_path / "report")
    for path in html_of(tmp_path / "report"):
        text = path.read_text(encoding="utf-8")
        assert "<script" not in SCRIPT.sub("", text)
        assert Page(path).tags.count("script") == len(SCRIPT.findall(text))
    for path in (tmp_path / "report").rglob("*.js"):
        assert "<script" not in path.read_text(encoding="utf-8")
    for path in (tmp_path / "report").rglob("*.svg"):
        minidom.parse(str(path))  # noqa: S318 - our own file
    assert "&lt;script&gt;" in page_of(tmp_path / "report", "lenet5")


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "index", "a\nb"])
def test_a_name_that_is_no_file_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CostModelError, match=r"no name for a file|given twice"):
        reports.write([make("lenet5", name=name)], tmp_path / "report")
    assert not list(tmp_path.iterdir())


def test_no_network_and_the_same_network_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CostModelError, match="no network is given"):
        reports.write([], tmp_path / "report")
    with pytest.raises(CostModelError, match='the name "lenet5" is given twice'):
        reports.write([SUBJECTS[0], SUBJECTS[0]], tmp_path / "report")


def test_a_missing_library_names_the_extra() -> None:
    with pytest.raises(MissingDependencyError, match=r'install "costmodel\[report\]"'):
        library("no_such_library")


def test_the_twin_has_the_exact_integers(site: Path) -> None:
    for name in NAMES:
        twin = json.loads((site / "data" / f"{name}.json").read_text(encoding="utf-8"))
        totals = cost(load(name, resolution=find(name).resolution, batch=1))
        assert twin["schema"] == "costmodel.report.architecture/2"
        terms = sum(int(n) * sympy.Symbol(sizes) for n, sizes in twin["terms"])
        assert len(terms.free_symbols) == len(twin["terms"])
        for quantity in ("macs", "parameters", "activations"):
            assert twin[quantity] == totals.metric(quantity)
            law = load(name)
            assert twin["formulas"][quantity] == str(cost(law).metric(quantity))
    index = json.loads((site / "data" / "index.json").read_text(encoding="utf-8"))
    assert [network["name"] for network in index["networks"]] == list(NAMES)


def test_published_figures_departures_and_checks_are_shown(site: Path) -> None:
    mobilenet, resnet = page_of(site, "mobilenet_v1"), page_of(site, "resnet18")
    assert "1.32M" in mobilenet
    assert "Table 8 counts the weights" in mobilenet
    assert "Table 1 prints stride 2" in mobilenet
    assert "There are no checks: no oracle is installed." in mobilenet
    assert '<span class="outcome unexplained">differs</span>' in resnet
    assert "11,689,512" in resnet


def test_top1_comes_with_its_source() -> None:
    weights = "torchvision 0.28, IMAGENET1K_V1, variant torchvision"
    assert [subject.top1 for subject in (*SUBJECTS, make("alexnet"))] == [
        None,
        ("69.758", weights),
        ("70.6", "Tables 4 and 6"),
        ("56.522", f"{weights}, resolution 224"),
    ]


def recorded(printed: str, resolution: str | None = None, **options: str) -> Verdict:
    row = Published("top1", printed, tuple(options.items()), resolution, None, "here")
    return Verdict("resnet18", row, None, "recorded")


def test_top1_is_that_of_the_network_on_the_page_where_there_is_one() -> None:
    others = (
        recorded("1", width="1/2"),
        recorded("2", variant="torchvision", width="1/2"),
        recorded("3", resolution="192"),
    )
    subject = replace(SUBJECTS[1], verdicts=others)
    assert subject.top1 is None
    twin = recorded("4", variant="torchvision")
    subject = replace(subject, verdicts=(*others, twin))
    assert subject.top1 == ("4", "here, variant torchvision")
    own = recorded("5", resolution="224", variant="paper", width="1")
    subject = replace(subject, verdicts=(*others, twin, own))
    assert subject.top1 == ("5", "here")


@pytest.mark.parametrize("name", NAMES)
def test_the_total_that_is_shown_is_the_law(name: str) -> None:
    law = cost(load(name))
    for quantity in mathml.QUANTITIES:
        known = mathml.sizes(law)
        shown = sympy.sympify(mathml.total(law, quantity, known))
        whole = shown.xreplace({size.symbol: size.extent for size in known})
        assert sympy.expand(whole - law.metric(quantity)) == 0
        assert not shown.has(sympy.floor)


def text_of(expression: sympy.Expr) -> str:
    return re.sub(r"<[^>]*>", "", mathml.mathml(expression)).replace("&#183;", "·")


def test_extents_are_printed_as_quotients_between_fences() -> None:
    half, odd = sympy.floor((H + 1) / 2), sympy.floor((W - 7) / 4)
    shown = minidom.parseString(mathml.mathml(1234 * N * half * odd))  # noqa: S318
    leaves = [part for part in shown.getElementsByTagName("*") if part.firstChild]
    text = "".join(x.firstChild.data for x in leaves if x.firstChild.nodeType == 3)
    assert text == "1\N{THIN SPACE}234·N·⌈H/2⌉·⌊(W−7)/4⌋"
    assert "<mi>α</mi>" in mathml.mathml(alpha**2)
    assert "<msup>" in mathml.mathml(alpha**2)


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        (sympy.floor((H + 1) / (2 * S)), "⌊(H+1)/(2·S)⌋"),
        (sympy.floor((H + 1) / (S + 1)), "⌊(H+1)/(S+1)⌋"),
        (sympy.floor((H + 1) / S), "⌊(H+1)/S⌋"),
        (sympy.ceiling(H / (2 * S)), "⌈H/(2·S)⌉"),
        (sympy.floor((3 * H + 6) / 7), "⌈(3·H)/7⌉"),
        (sympy.floor(112 * rho + sympy.Rational(1, 2)), "⌊(224·ρ+1)/2⌋"),
    ],
)
def test_fences_enclose_what_is_meant(expression: sympy.Expr, shown: str) -> None:
    assert unescape(text_of(expression)) == shown


def test_a_short_minus_is_a_minus_sign() -> None:
    assert "-" not in text_of(H - 4 * W - 3)


def test_names_on_the_chart_do_not_overlap() -> None:
    spots = [
        label_placement.Spot(f"name{i}", 10.0 * (i % 7), 6.0 * (i % 5))
        for i in range(35)
    ]
    boxes = [label_placement._box(label) for label in label_placement.place(spots)]
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert boxes
    assert not any(label_placement._overlap(a, b) for a, b in pairs)


def test_charts_have_every_network_whose_accuracy_is_known(site: Path) -> None:
    records = [Record.read(site / "data" / f"{name}.json") for name in NAMES]
    found = accuracy_cost.charts(records)
    assert [c.quantity for c in found][:3] == ["macs", "parameters", "activations"]
    for one in found:
        named = re.findall(r'<path aria-label="(\w+): top-1 ([\d.]+) %', one.svg)
        assert dict(named) == {"resnet18": "69.758", "mobilenet_v1": "70.6"}
    assert accuracy_cost.charts(records[:1]) == ()


def test_a_date_stands_only_where_the_environment_gives_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert not re.search(r"\d{4}-\d\d-\d\d", templating.provenance())
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert "1970-01-02" in templating.provenance()
    for wrong in ("today", "9" * 30, "9" * 5000):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", wrong)
        with pytest.raises(CostModelError, match="SOURCE_DATE_EPOCH"):
            reports.check_folder(tmp_path / "report")


def luminance(color: str) -> float:
    parts = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1, 2])
def test_text_has_contrast_in_both_themes_and_in_print(site: Path, theme: int) -> None:
    style = (site / "style.css").read_text(encoding="utf-8")
    both = re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\);", style)
    color = {name: (light, dark)[theme % 2] for name, light, dark in both}
    if theme == 2:
        printed = style[style.index("@media print") :]
        color |= dict(re.findall(r"--(\w+): (#\w{6});", printed))
    for ink in ("ink", "soft", "link", "good", "bad", "maybe"):
        for ground in ("ground", "card", "block"):
            light, dark = sorted(
                (luminance(color[ink]), luminance(color[ground])), reverse=True
            )
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_the_marker_lists_the_files(site: Path) -> None:
    listed = json.loads((site / MARKER).read_text(encoding="utf-8"))
    assert sorted([*listed["files"], MARKER]) == sorted(bytes_of(site))
    parts = listed["parts"].values()
    assert sorted(f for part in parts for f in part["files"]) == sorted(listed["files"])
