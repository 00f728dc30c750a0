"""The benchmarks' results as a page: ``python -m benchmarks.table results.json``."""

from __future__ import annotations

import json
import sys
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any


def page(results: dict[str, Any]) -> str:
    """Return the whole page in Markdown."""
    times = {b["name"]: b["stats"]["min"] for b in results["benchmarks"]}
    extra = {b["name"]: b["extra_info"] for b in results["benchmarks"]}
    cpu = results["machine_info"]["cpu"]
    python = results["machine_info"]["python_version"]
    return "\n".join([
        "# Benchmarks: how long deriving formulas takes",
        "",
        "Written by `nox -s bench -- record`. Ratios are of times taken in one run.",
        f"Machine: {cpu['brand_raw']}, {cpu['count']} processors; Python {python}.",
        "",
        *derivation(times),
        *tracing(times),
        *evaluation(times, extra),
        *searching(times, extra),
        *growth(times, extra),
    ])  # fmt: skip


def derivation(times: dict[str, float]) -> list[str]:
    """Tabulate every network: formulas, fvcore, FlopCounterMode, and the ratios."""
    rows, ratios = [], []
    for name, seconds in times.items():
        if name.startswith("test_formulas["):
            network = name.partition("[")[2].rstrip("]")
            fvcore = times[f"test_fvcore[{network}]"]
            flops = times[f"test_flop_counter_mode[{network}]"]
            ratios.append((fvcore / seconds, network))
            rows.append(
                f"| {network} | {seconds * 1e3:.1f} | {fvcore * 1e3:.0f} "
                f"| {flops * 1e3:.0f} | {fvcore / seconds:.0f} "
                f"| {flops / seconds:.0f} |"
            )
    mean = exp(sum(log(ratio) for ratio, _ in ratios) / len(ratios))
    worst, name = min(ratios)
    return [
        "## Registered networks: `load` and every formula",
        "",
        "Each network for the first time in a running process: it is built, and "
        "parameters, MACs, activations, connections, buffers, bytes and every "
        "primitive operation are derived as formulas in N, H and W. Beside it, one "
        "count at one input size by fvcore and by FlopCounterMode, of a module that "
        "was built before: the better of two runs.",
        "",
        f"Formulas are **{mean:.0f}×** as fast as fvcore (geometric mean of "
        f"{len(ratios)} networks; worst {worst:.0f}×, {name}).",
        "",
        "| network | formulas, ms | fvcore, ms | FlopCounterMode, ms | fvcore/formulas "
        "| FlopCounterMode/formulas |",
        "|---|--:|--:|--:|--:|--:|",
        *rows,
        "",
    ]


def tracing(times: dict[str, float]) -> list[str]:
    """Tabulate modules: traced and derived, counted once by fvcore, and the ratio."""
    rows, ratios = [], []
    for name, seconds in times.items():
        if name.startswith("test_traced["):
            network = name.partition("[")[2].rstrip("]")
            fvcore = times[f"test_counted_by_fvcore[{network}]"]
            ratios.append((fvcore / seconds, network))
            rows.append(
                f"| {network} | {seconds * 1e3:.0f} | {fvcore * 1e3:.0f} "
                f"| {fvcore / seconds:.1f} |"
            )
    if not ratios:
        return []
    worst, name = min(ratios)
    return [
        "## PyTorch modules: tracing and every formula",
        "",
        "Each module for the first time in a running process: it is traced, checked "
        "by a second run at another size, and every total is derived as a formula in "
        "N, H and W. Beside it, one count by fvcore at 224 × 224 of the module in "
        "memory: the better of two runs.",
        "",
        f"In the median of {len(ratios)} networks that is "
        f"**{median(ratio for ratio, _ in ratios):.1f}×** as fast as fvcore (worst "
        f"{worst:.1f}×, {name}).",
        "",
        "| network | traced and derived, ms | fvcore, ms | fvcore/traced |",
        "|---|--:|--:|--:|",
        *rows,
        "",
    ]


def evaluation(times: dict[str, float], extra: dict[str, Any]) -> list[str]:
    """Say how many configurations per second the formula and fvcore manage."""
    per_second = {
        name: extra[name]["configurations"] / seconds
        for name, seconds in times.items()
        if "configuration" in name
    }
    formula, fvcore = per_second.values()
    return [
        "## Configurations per second",
        "",
        "The lambdified MAC formula of mobilenet_v2 on random widths, resolutions and "
        "batches, one core; one count by fvcore at 224.",
        "",
        f"{formula:,.0f} against {fvcore:,.1f}: {formula / fvcore:,.0f}×.",
        "",
    ]


def searching(times: dict[str, float], extra: dict[str, Any]) -> list[str]:
    """Say how many networks of a space are costed per second, and by fvcore."""
    rates = {
        name: extra[name]["configurations"] / seconds
        for name, seconds in times.items()
        if "cell" in name
    }
    one, bulk, fvcore, everything = (
        rates[f"test_{name}"]
        for name in (
            "cells_one_by_one", "cells_in_bulk", "one_cell_by_fvcore",
            "all_cells_of_nasbench101",
        )
    )  # fmt: skip
    return [
        "## Networks of a search space per second",
        "",
        "Exact MACs, parameters and activations of random cells of NAS-Bench-201, one "
        "core; fvcore counts a module that was built before.",
        "",
        f"One by one {one:,.0f}, in bulk {bulk:,.0f}, fvcore {fvcore:,.1f}: "
        f"{one / fvcore:,.0f}× and {bulk / fvcore:,.0f}×. All 423,624 cells of "
        "NAS-Bench-101 are enumerated, told apart and costed in "
        f"{423_624 / everything:.2f} s.",
        "",
    ]


def growth(times: dict[str, float], extra: dict[str, Any]) -> list[str]:
    """Tabulate the time per node against the number of nodes."""
    rows = [
        f"| {extra[name]['nodes']:,} | {seconds / extra[name]['nodes'] * 1e6:.0f} |"
        for name, seconds in times.items()
        if "nodes" in extra[name]
    ]
    return [
        "## Time per node",
        "",
        "Random residual networks, built; MACs, parameters and activations derived.",
        "",
        "| nodes | µs per node |",
        "|--:|--:|",
        *rows,
        "",
    ]


if __name__ == "__main__":
    sys.stdout.write(page(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
