"""The pages about all networks, and what a network's page says beside its formulas."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sympy

import costmodel as cm
from costmodel import reports
from costmodel.algebra.symbols import H, W, alpha
from costmodel.analysis.conventions import CONVENTIONS
from costmodel.analysis.evidence.claims import Claim, Evidence, Ruling, claims, judge
from costmodel.network.registry.lineage import lineage
from costmodel.reports.data.memory_timeline import timeline
from costmodel.reports.formulas.mathml import QUANTITIES
from costmodel.reports.pages import highlights
from costmodel.reports.pages.claims import claims_finding, number
from tests.reports.test_reports import SUBJECTS, Page, html_of, make


ABOUT = {"mobilenet_v1", "resnet", "lenet5", "googlenet"}
RULINGS = list(judge(c for c in claims().values() if ABOUT & set(c.about)))
MORE = [*SUBJECTS, make("googlenet"), make("se_resnet50")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("pages") / "report"
    reports.write(MORE, where, claims=lambda: RULINGS, lineage=lineage())
    return where


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def twin_of(site: Path, name: str) -> Any:
    return json.loads(text_of(site / "data" / f"{name}.json"))


def test_every_page_leads_to_the_others_and_says_where_it_is(site: Path) -> None:
    names = ["index.html", "explorer.html", "compare.html", "claims.html",
             "lineage.html", "runtime.html", "conventions.html",
             "method.html"]  # fmt: skip
    for path in html_of(site):
        up = "" if path.parent == site else "../"
        links = [link for link in Page(path).links if link.endswith(".html")]
        assert links[:8] == [f"{up}{name}" for name in names]
        navigation = text_of(path).partition("</nav>")[0]
        here = re.findall(r'href="([^"]*)" aria-current="page"', navigation)
        assert here == ([] if up else [path.name])


def test_every_link_resolves(site: Path) -> None:
    for path in html_of(site):
        for link in Page(path).links:
            if link.startswith("https://arxiv.org/abs/"):
                continue
            file, _, fragment = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.is_file(), (path, link)
            is_asked = fragment.startswith("?")  # of a script of the page
            assert not fragment or is_asked or fragment in Page(target).ids, (
                path,
                link,
            )


def test_what_is_not_given_has_no_page(tmp_path: Path) -> None:
    reports.write(SUBJECTS[:1], tmp_path / "report")
    navigation = text_of(tmp_path / "report" / "method.html").partition("</nav>")[0]
    for name in ("claims", "lineage", "search"):
        assert not (tmp_path / "report" / f"{name}.html").exists()
        assert f"{name}.html" not in navigation


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def in_browser(page: Path, asked: str, home: Path) -> str:
    """Return a page as a real browser leaves it, at an address with a fragment."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
               f"--user-data-dir={home}", f"{page.as_uri()}#?{asked}"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def shown(text: str) -> list[str]:
    """Return the names in the rows of a page's first table that are not hidden."""
    body = text[text.index("<tbody>") : text.index("</tbody>")]
    found = []
    for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL):
        name = re.search(r'<th scope="row"[^>]*><a[^>]*>([^<]*)</a>', row)
        assert name, row
        if not re.match(r"<tr[^>]* hidden", row):
            found.append(name[1])
    return found


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_a_table_is_sorted_by_exact_numbers_as_its_address_says(
    site: Path, tmp_path: Path, order: str
) -> None:
    text = in_browser(site / "index.html", f"sort=MACs&order={order}", tmp_path)
    by_macs = sorted(MORE, key=lambda subject: int(subject.cost.macs))
    names = [subject.architecture.name for subject in by_macs]
    assert shown(text) == (names if order == "ascending" else names[::-1])
    assert text.count(f'aria-sort="{order}"') == 1
    assert f">{len(MORE)} of {len(MORE)} rows<" in text


def test_missing_values_come_last_whichever_way(site: Path, tmp_path: Path) -> None:
    without = {s.architecture.name for s in MORE if s.top1 is None}
    assert without
    for order in ("ascending", "descending"):
        asked = f"sort=Top-1%2C+%25&order={order}"
        found = shown(in_browser(site / "index.html", asked, tmp_path))
        assert set(found[-len(without) :]) == without


def test_a_table_is_filtered_by_all_words(site: Path, tmp_path: Path) -> None:
    text = in_browser(site / "index.html", "filter=net+2015", tmp_path)
    found = [s.architecture.name for s in MORE if s.architecture.year == 2015]
    assert shown(text) == found
    assert f">{len(found)} of {len(MORE)} rows<" in text
    evil = in_browser(site / "index.html", "filter=%3Cimg+src%3Dx%3E", tmp_path)
    assert shown(evil) == []
    assert "<img" not in evil


def test_every_claim_is_shown_with_its_verdict_and_all_its_evidence(site: Path) -> None:
    text = text_of(site / "claims.html")
    sections = re.findall(r"<section.*?</section>", text, re.DOTALL)
    assert len(sections) == len(RULINGS)
    for ruling, section in zip(RULINGS, sections, strict=True):
        assert ruling.claim.says in unescape(section)
        assert f">{ruling.verdict}</span>" in section
        assert section.count('<th scope="row"') == len(ruling.evidence)
        assert f"--claim {ruling.claim.name}<" in section
    twin = twin_of(site, "claims")["claims"]
    assert [claim["verdict"] for claim in twin] == [r.verdict for r in RULINGS]
    computed = [str(i.computed) for r in RULINGS for i in r.evidence]
    assert [str(i["computed"]) for c in twin for i in c["evidence"]] == computed


def test_the_finding_counts_every_claim() -> None:
    found = [int(n) for n in re.findall(r"\d+", claims_finding(RULINGS))]
    assert found[0] == sum(found[1:]) == len(RULINGS)


def test_a_claim_that_turned_out_otherwise_is_pointed_out(tmp_path: Path) -> None:
    evil = "<script>"
    claim = Claim("odd", evil, evil, ("lenet5",), evil, "holds", evil, lambda: ())
    ruling = Ruling(claim, (Evidence(evil, 1, 2), Evidence("x", alpha, alpha / 2)))
    reports.write(SUBJECTS[:1], tmp_path / "report", claims=lambda: [ruling])
    text = text_of(tmp_path / "report" / "claims.html")
    assert "The recorded verdict is different: holds." in text
    assert evil not in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567, "1,234,567"),
        (sympy.Integer(1234567), "1,234,567"),
        ("60,000", "60,000"),
        (sympy.Rational(1, 3), '<span title="1/3">0.3333</span>'),
        (sympy.Rational(5, 2), '<span title="5/2">2.5</span>'),
        (sympy.Rational(2469135, 2), '<span title="2469135/2">1,234,568</span>'),
    ],
)
def test_numbers_of_evidence_are_readable_and_exact(value: Any, shown: str) -> None:
    assert number(value) == shown


def test_the_lineage_has_every_family_and_all_that_was_taken(site: Path) -> None:
    graph, text = lineage(), unescape(text_of(site / "lineage.html"))
    assert set(re.findall(r'<h3 id="family-([^"]*)"', text)) == set(graph)
    for _, _, takes in graph.edges.data("takes"):
        assert f": {takes}</li>" in text
    drawn = re.findall(r'<a href="#family-([^"]*)"><title>', text)
    assert set(drawn) == set(graph)
    twin = twin_of(site, "lineage")
    assert len(twin["takes"]) == graph.number_of_edges()
    members = {name for family in twin["families"] for name in family["members"]}
    assert members == set(cm.architectures())


def test_conventions_are_those_of_reconcile_and_add_up(site: Path) -> None:
    text, twin = text_of(site / "conventions.html"), twin_of(site, "conventions")
    for subject in MORE:
        name = subject.architecture.name
        own = text_of(site / "architectures" / f"{name}.html")
        for account in cm.reconcile(subject.bound):
            tool, printed = account.convention.name, int(account.total)
            told = twin["networks"][name][tool]
            assert told["total"] == printed == cm.cost(subject.bound).flops(tool)
            assert sum(told["items"].values()) == printed
            assert f'<data value="{printed}"' in text
            row = f'<th scope="row">{tool}</th><td class="number">{printed:,}</td>'
            assert row in own
    for convention in CONVENTIONS.values():
        assert f'id="tool-{convention.name}"' in text
        assert convention.tool in unescape(text)


def test_doublings_are_those_of_networks_that_are_twice_as_large() -> None:
    subject = make("mobilenet_v1")
    wide = replace(subject, symbolic=cm.load("mobilenet_v1", width=alpha))
    told = {row.what: row.factors for row in highlights.doublings(wide)}
    larger = {
        "width": {"width": 2, "resolution": 224, "batch": 1},
        "height and width of the input": {"resolution": 448, "batch": 1},
        "batch": {"resolution": 224, "batch": 2},
    }
    assert list(told) == list(larger)
    for what, options in larger.items():
        totals = cm.cost(cm.load("mobilenet_v1", **options))
        for name, factor in zip(QUANTITIES, told[what], strict=True):
            times = Fraction(totals.metric(name), subject.cost.metric(name))
            wanted = "the same" if times == 1 else f"{float(times):.3g}×"
            assert factor == wanted
    assert told["height and width of the input"][1] == "the same"


def test_shares_are_of_the_whole() -> None:
    for subject in MORE:
        found = highlights.shares(subject)
        assert [s.name for s in found] == [
            name
            for name, sums in subject.cost.by_scope(1).items()
            if sums.macs != 0 or sums.parameters != 0 or sums.activations != 0
        ]
        for index in range(3):
            bars = [float(s.parts[index].bar.removesuffix("em")) for s in found]
            assert abs(sum(bars) - 8) < 0.001 * len(bars)


def test_memory_is_that_of_the_analysis() -> None:
    for subject in MORE:
        told = {row.title: row.bytes for row in timeline(subject).rows}
        infers = cm.memory(subject.bound)
        trains = cm.memory(subject.bound, training=True)
        assert told == {
            "Weights": infers.weight_bytes,
            "Peak of activations, inference": infers.peak_activation_bytes,
            "Peak of activations, training step": trains.peak_activation_bytes,
            "Optimizer state, Adam": trains.optimizer_bytes("adam"),
        }


def test_the_field_ends_with_that_of_the_network(site: Path) -> None:
    resnet = highlights.fields(SUBJECTS[1])
    field = cm.receptive_field(SUBJECTS[1].symbolic)
    assert resnet.rows[-1].size == f"{field.size[0]}×{field.size[1]}"
    assert len(set(resnet.rows)) == len(resnet.rows)
    assert not resnet.leaves_out_gates
    gated = highlights.fields(MORE[-1])
    assert gated.leaves_out_gates
    without = cm.receptive_field(MORE[-1].symbolic, ignore_gates=True)
    assert gated.rows[-1].size == f"{without.size[0]}×{without.size[1]}"
    assert gated.rows[-1].size in text_of(site / "architectures" / "se_resnet50.html")


def test_what_is_not_known_is_said_and_not_shown_as_nothing() -> None:
    import torch
    from torch import nn

    class Sorted(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sort(x).values

    net = cm.trace(nn.Sequential(nn.Conv2d(3, 4, 3), Sorted()), on_unknown="mark")
    bound = net.bind(N=1, H=8, W=8)
    assert net.free_symbols >= {H, W}
    subject = reports.Subject(make("lenet5").architecture, net, bound, (), ())
    found = timeline(subject)
    assert found.rows == ()
    assert "which memory it takes is not known" in found.reason
