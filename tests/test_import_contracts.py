"""The contract of import-linter that is an allow-list refuses what it has to."""

from __future__ import annotations

import pytest


grimp = pytest.importorskip("grimp")
pytest.importorskip("importlinter")

from tests.import_contracts import AllowedImports  # noqa: E402


def check(*imports: tuple[str, str], allowed: str = "engine.verbs") -> list[str]:
    """Return what a contract about the package ``nets`` refuses of these imports."""
    graph = grimp.ImportGraph()
    for module in ("nets", "nets.claims", "engine", "engine.verbs", "engine.verbs.own"):
        graph.add_module(module)
    graph.add_module("torch", is_squashed=True)
    for line, (importer, imported) in enumerate(imports, start=1):
        graph.add_import(importer=importer, imported=imported, line_number=line,
                         line_contents=f"import {imported}")  # fmt: skip
    contract = AllowedImports(
        "nets",
        session_options={},
        contract_options={
            "source_modules": ["nets"],
            "except_modules": ["nets.claims"],
            "allowed_modules": [allowed],
        },
    )
    result = contract.check(graph, verbose=False)
    found = result.metadata["found"]
    assert result.kept == (not found)
    return [f"{importer} {imported}" for importer, imported in sorted(found)]


def test_what_is_allowed_is_kept_and_all_else_is_refused() -> None:
    assert check(("nets.a", "engine.verbs"), ("nets.a", "nets.b")) == []
    assert check(("nets.a", "engine.verbs.own")) == ["nets.a engine.verbs.own"]
    assert check(("nets.a", "engine")) == ["nets.a engine"]
    assert check(("nets", "engine.new"), ("nets.a", "engine.verbs")) == [
        "nets engine.new"
    ]


def test_it_asks_for_imports_that_are_stated_and_in_the_repository() -> None:
    behind = ("engine.verbs", "engine.new")
    assert check(("nets.a", "engine.verbs"), behind, ("nets.a", "torch")) == []
    assert check(("nets.claims", "engine.new"), ("nets.claims.b", "engine")) == []


def test_a_module_that_is_not_there_cannot_be_allowed() -> None:
    with pytest.raises(ValueError, match=r"names engine\.gone"):
        check(allowed="engine.gone")
