"""The report in a real browser, from the disk: Chromium, driven by Playwright.

``nox -s browser`` installs both drivers and runs these on the report of everything;
without them, or without Chromium, they are skipped.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from costmodel import reports
from costmodel.algebra.code.numpy_code import lambdify
from costmodel.analysis.evidence.claims import claims, judge
from costmodel.cli.commands.search.examples import worked_searches
from costmodel.cli.report_subjects import registered_subject
from costmodel.errors import CostModelError
from costmodel.network.graph import Network
from costmodel.network.registry import architectures
from costmodel.network.registry.lineage import lineage
from costmodel.reports.pages import explorer


sync = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
if CHROMIUM is None:
    pytest.skip("needs Chromium", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

FIRST = {a.family: name for name, a in reversed(architectures().items())}
"""A network of each family."""

KINDS = (
    "index.html", "explorer.html", "compare.html", "claims.html", "lineage.html",
    "search.html", "runtime.html", "conventions.html", "method.html",
    "architectures/mobilenet_v2.html", "architectures/nasnet_a_mobile.html",
    "architectures/lenet5.html",
)  # fmt: skip
"""A page of every kind, and the widest and the smallest network."""

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of everything, or one with a network of each family."""
    if folder := os.environ.get("COSTMODEL_REPORT"):
        return Path(folder).resolve()
    names = [*FIRST.values(), "mobilenet_v2", "nasnet_a_mobile", "resnet50"]
    parts = [
        reports.Part(n, a.family, n, partial(registered_subject, n), key=n)
        for n, a in architectures().items()
        if n in names
    ]
    where = tmp_path_factory.mktemp("browser") / "report"
    judged = list(judge(claims().values()))
    reports.write(
        parts, where, claims=lambda: judged, lineage=lineage(),
        searches=worked_searches, jobs=2,
    )  # fmt: skip
    return where


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with sync.sync_playwright() as driver:
        running = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield running
        running.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def opened(page: Any, site: Path, name: str, asked: str = "") -> Any:
    page.goto((site / name).as_uri() + asked)
    return page


def test_every_page_opens_without_an_error_or_a_request_off_the_disk(
    page: Any, site: Path
) -> None:
    troubles: list[str] = []
    asked: list[str] = []
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    files = sorted(site.rglob("*.html"))
    for file in files:
        page.goto(file.as_uri())
        assert not troubles, file
    assert len(files) >= len(KINDS)
    assert all(url.startswith(site.as_uri()) for url in asked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", KINDS)
def test_axe_finds_nothing_serious(
    browser: Any, site: Path, name: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(color_scheme=scheme)
    page = opened(context.new_page(), site, name)
    found = axe.run(page, options={"preload": False}).response["violations"]
    context.close()
    assert [v["id"] for v in found if v["impact"] in SERIOUS] == []


@pytest.mark.parametrize("width", [360, 768, 3840])
@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_wider_than_the_window(
    page: Any, site: Path, name: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    opened(page, site, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", KINDS)
def test_pages_stand_without_scripts(browser: Any, site: Path, name: str) -> None:
    with_scripts = browser.new_context()
    without = browser.new_context(java_script_enabled=False)
    one, other = (
        opened(context.new_page(), site, name) for context in (with_scripts, without)
    )
    rows = other.locator("tbody tr").count()
    assert one.locator("tbody tr").count() >= rows
    assert (rows > 0) == (name not in {"explorer.html", "lineage.html"})
    assert len(other.locator("main").inner_text()) > 300
    assert other.locator("h1").is_visible()
    # What only scripts can fill is not there, and the page says so.
    for part in other.locator("[hidden]").all():
        assert not part.is_visible()
    told = other.locator("[data-without-scripts]")
    assert all(note.is_visible() for note in told.all())
    assert not any(
        note.is_visible() for note in one.locator("[data-without-scripts]").all()
    )
    for figure in other.locator("figure svg").all()[:3]:
        assert figure.count() == 1
    with_scripts.close()
    without.close()


@pytest.mark.parametrize("name", KINDS)
def test_print_is_light_and_fits_the_paper(browser: Any, site: Path, name: str) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.set_viewport_size({"width": 794, "height": 1123})  # A4 at 96 pixels an inch
    opened(page, site, name)
    page.emulate_media(media="print")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert not page.locator("nav").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    assert page.pdf(format="A4").startswith(b"%PDF")
    context.close()


def names_shown(page: Any) -> list[str]:
    rows = page.locator("table.sortable").first.locator("tbody tr:visible th a")
    return list(rows.all_inner_texts())


def test_sorting_and_filtering_work_by_keyboard_and_live_in_the_address(
    page: Any, site: Path
) -> None:
    opened(page, site, "index.html")
    records = json.loads((site / "data/index.json").read_text(encoding="utf-8"))
    networks = records["networks"]
    page.locator("thead button", has_text="MACs").focus()
    page.keyboard.press("Enter")
    by_macs = sorted(networks, key=lambda n: -n["macs"])
    assert names_shown(page)[0] == by_macs[0]["name"]
    page.keyboard.press("Space")
    assert names_shown(page)[0] == by_macs[-1]["name"]
    page.locator("input[type=search]").focus()
    page.keyboard.type("mobilenet")
    wanted = {
        n["name"] for n in networks if "mobilenet" in (n["name"] + n["title"]).lower()
    }
    assert set(names_shown(page)) == wanted
    before = names_shown(page)
    page.reload()
    assert names_shown(page) == before
    assert page.locator("[aria-sort=ascending]").count() == 1


def test_the_theme_is_chosen_by_keyboard_and_kept(page: Any, site: Path) -> None:
    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    opened(page, site, "index.html")
    assert ground() == "rgb(255, 255, 255)"
    button = page.get_by_role("button", name="Theme")
    button.focus()
    page.keyboard.press("Enter")
    assert (button.inner_text(), ground()) == ("Theme: light", "rgb(255, 255, 255)")
    page.keyboard.press("Enter")
    assert (button.inner_text(), ground()) == ("Theme: dark", "rgb(20, 24, 28)")
    opened(page, site, "architectures/lenet5.html")
    assert ground() == "rgb(20, 24, 28)"


def test_variants_are_switched_by_keyboard(page: Any, site: Path) -> None:
    opened(page, site, "architectures/mobilenet_v2.html")
    kin = page.get_by_role("navigation", name=re.compile("Variants"))
    if kin.count() == 0:
        opened(page, site, "architectures/resnet50.html")
        if kin.count() == 0:
            pytest.skip("this report has no family with two networks")
    other = kin.locator("a:not([aria-current])").first
    name = other.inner_text()
    other.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{name}.html")
    assert page.locator("h1").inner_text() == name


def loaded(page: Any, name: str) -> dict[str, Any]:
    """Choose a network in the explorer; return its options."""
    page.evaluate(
        """name => new Promise(done => {
            const script = document.createElement("script");
            script.src = "formulas/" + name + ".js";
            script.onload = done;
            document.head.append(script);
        })""",
        name,
    )
    options: dict[str, Any] = page.evaluate("name => costmodel.options(name)", name)
    return options


@pytest.mark.parametrize("name", FIRST.values())
def test_sliders_give_what_python_gives(page: Any, site: Path, name: str) -> None:
    opened(page, site, "explorer.html")
    options = loaded(page, name)
    subject = registered_subject(name, "none")
    free = sorted(subject.symbolic.free_symbols, key=str)
    formulas = {key: f for key, _, f in explorer._formulas(subject)}
    python = lambdify(list(formulas.values()), free)
    grid = [{option["symbol"]: option["value"] for option in options}]
    for option in options:
        steps = option["steps"]
        for step in (steps[0], steps[len(steps) // 3], steps[-1]):
            grid.append({**grid[0], option["symbol"]: step})
    for at in grid:
        values = {"H": at.get("R"), "W": at.get("R"), **at}
        bound = [_number(values[str(symbol)]) for symbol in free]
        asked = [name, at]
        is_legal = page.evaluate("([name, at]) => costmodel.isLegal(name, at)", asked)
        exact = {s: Fraction(v).limit_denominator(10**4) for s, v in zip(free, bound)}
        # What the registry takes as a fraction cannot be bound later.
        if all(not s.is_integer or v.denominator == 1 for s, v in exact.items()):
            assert is_legal == _fits(subject.symbolic, exact), at
        if not is_legal:
            continue
        theirs = page.evaluate("([name, at]) => costmodel.evaluate(name, at)", asked)
        ours = python(*bound)
        for key, value in zip(formulas, ours, strict=True):
            assert math.isclose(theirs[key], float(value), rel_tol=1e-12), (key, at)


def _fits(network: Network, values: dict[Any, Fraction]) -> bool:
    """Say whether the network can be bound to these values."""
    try:
        network.bind(values)
    except CostModelError:
        return False
    return True


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def test_a_slider_moves_by_keyboard_and_the_address_keeps_it(
    page: Any, site: Path
) -> None:
    opened(page, site, "explorer.html", "#?network=mobilenet_v2")
    slider = page.get_by_label("width α", exact=True)
    slider.focus()
    before = page.locator("#results td").first.inner_text()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    after = page.locator("#results td").first.inner_text()
    assert before != after
    page.get_by_label("Budget").fill("200M")
    answer = page.locator("#answer").inner_text()
    assert "The largest legal width α within the budget is" in answer
    assert page.locator("#plot .budget").count() == 1
    page.reload()
    assert page.locator("#results td").first.inner_text() == after
    assert page.locator("#answer").inner_text() == answer
    page.get_by_label("Budget").fill("much")
    assert "is no number" in page.locator("#answer").inner_text()


def test_two_networks_differ_by_the_difference_of_their_formulas(
    page: Any, site: Path
) -> None:
    names = ["resnet50", "mobilenet_v2"]
    opened(page, site, "compare.html", f"#?networks={','.join(names)}")
    shown = page.locator("#formulas dd").first.inner_text()
    at = {"N": 2, "H": 225, "W": 192}
    text = (
        shown.replace(",", "").replace("−", "-").replace("·", "*").replace("²", "**2")
    )
    text = re.sub(r"⌈([^⌉]*)⌉", r"math.ceil(\1)", text)
    text = re.sub(r"⌊([^⌋]*)⌋", r"math.floor(\1)", text)
    found = eval(text, {"math": math}, at)  # noqa: S307 - our own page, tested here
    import costmodel as cm

    first, other = (cm.cost(cm.load(n).bind(at)).macs for n in names)
    assert found == other - first
    page.get_by_label("Add a network").select_option("lenet5")
    assert page.locator("#table thead th").count() == 4
    page.reload()
    assert page.locator("#table thead th").count() == 4
    page.get_by_role("button", name="resnet50").click()
    assert page.locator("#table thead th").count() == 3


def test_the_chart_changes_its_cost_by_keyboard(page: Any, site: Path) -> None:
    opened(page, site, "index.html")
    figures = page.locator(".picker figure")
    assert [f.is_visible() for f in figures.all()].count(True) == 1
    page.get_by_role("radio", name="MACs for one input").focus()
    page.keyboard.press("ArrowRight")
    assert figures.nth(1).is_visible()
    assert not figures.nth(0).is_visible()
