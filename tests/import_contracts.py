"""A contract for import-linter that is an allow-list; its own are lists of what is not.

``pyproject.toml`` names the class under ``contract_types``.
"""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class AllowedImports(Contract):
    """What these packages import of the repository is themselves and what is allowed.

    Only imports that they state are asked for: what an allowed module imports is its
    own affair. A module that another package adds is refused until it is allowed.

    Options: ``source_modules`` are packages, ``except_modules`` packages in them that
    may import anything, ``allowed_modules`` modules, without what lies below them.
    """

    type_name = "allowed"

    source_modules = fields.ListField(subfield=fields.StringField())
    except_modules = fields.ListField(subfield=fields.StringField(), required=False)
    allowed_modules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001
        """Return which modules import what is not allowed, with the lines."""
        named = [*self.source_modules, *(self.except_modules or ())]
        for name in (*named, *self.allowed_modules):
            if name not in graph.modules:
                raise ValueError(f"contract names {name}, which is no module")
        own, excepted = (
            {*roots, *(m for root in roots for m in graph.find_descendants(root))}
            for roots in (self.source_modules, self.except_modules or ())
        )
        found = {
            (importer, imported): graph.get_import_details(
                importer=importer, imported=imported
            )
            for importer in own - excepted
            for imported in graph.find_modules_directly_imported_by(importer)
            if imported not in own and imported not in self.allowed_modules
            and not graph.is_module_squashed(imported)  # of another distribution
        }  # fmt: skip
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import that is not allowed."""
        for (importer, imported), details in sorted(check.metadata["found"].items()):
            lines = ", ".join(f"l.{detail['line_number']}" for detail in details)
            output.print_error(f"{importer} imports {imported} ({lines})", bold=False)
