"""The searches that a report works through: one of each space, in a few seconds."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from costmodel.nas import Found
    from costmodel.reports import WorkedSearch


_OPTION = {"constraints": "constraint"}
"""Options of the command whose names are not Python's."""


@dataclass(frozen=True)
class Example:
    """A search of a space, as a user writes it."""

    space: str
    title: str
    paper: str
    says: str
    lesson: str
    minimize: str
    maximize: str
    limit: str = ""
    engine: str = "evolution"
    evaluations: int | None = None
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def searched(self) -> WorkedSearch:
        """Search, and search at random with as many evaluations; count the space."""
        from costmodel.cli.commands.search.space import size_at
        from costmodel.nas.spaces.catalogue import space
        from costmodel.nas.spaces.space import LEVELS
        from costmodel.reports import WorkedSearch

        whole = space(self.space)
        return WorkedSearch(
            title=self.title, paper=self.paper, says=self.says, lesson=self.lesson,
            sizes={level: size_at(whole, level) for level in LEVELS},
            python=self.python, command=self.command, found=self.found(self.engine),
            baseline=None if self.evaluations is None else self.found("random"),
        )  # fmt: skip

    def found(self, engine: str) -> Found:
        """Search with an engine."""
        from costmodel.nas import search
        from costmodel.nas.spaces.catalogue import space

        return search(
            space(self.space, **self.options), minimize=self.minimize,
            maximize=self.maximize, constraints=[self.limit] if self.limit else (),
            engine=engine, evaluations=self.evaluations, seed=self.seed,
        )  # fmt: skip

    @property
    def python(self) -> str:
        """The call that repeats the search."""
        options = [f"{name}={json.dumps(v)}" for name, v in self.options.items()]
        space = f'cm.space("{self.space}"{", " if options else ""}{", ".join(options)})'
        if len(options) > 1:
            lines = "".join(f"        {word},\n" for word in options)
            space = f'cm.space(\n        "{self.space}",\n{lines}    )'
        given = [f"{name}={json.dumps(value)}" for name, value in self._given()]
        lines = "".join(f"    {word},\n" for word in [space, *given])
        return f"import costmodel as cm\n\nfound = cm.search(\n{lines})\nprint(found)"

    @property
    def command(self) -> str:
        """The command line that repeats the search."""
        settings = (f"{name}={json.dumps(v)}" for name, v in self.options.items())
        words = [("set", text) for text in settings]
        words += [
            (_OPTION.get(name, name), str(value)) for name, value in self._given()
        ]
        lines = (f"--{name} {shlex.quote(text)}" for name, text in words)
        return " \\\n    ".join([f"costmodel search {self.space}", *lines])

    def _given(self) -> Iterator[tuple[str, str | int]]:
        """Give what the search is asked for, by its name in Python."""
        yield "minimize", self.minimize
        yield "maximize", self.maximize
        if self.limit:
            yield "constraints", self.limit
        yield "engine", self.engine
        if self.evaluations is not None:
            yield "evaluations", self.evaluations
            yield "seed", self.seed


EXAMPLES = (
    Example(
        "nasbench101",
        "NAS-Bench-101",
        "Ying et al. 2019, arXiv:1902.09635",
        "Cells of up to seven vertices and nine edges; each inner vertex is a 3×3 or "
        "1×1 convolution or a 3×3 max pooling; a network repeats its cell nine times.",
        "Poolings see far at no MACs, so that the field grows for next to nothing; "
        "convolutions are there only because the limit asks for parameters.",
        minimize="macs",
        maximize="receptive_field",
        limit="parameters >= 2M",
        evaluations=80,
    ),
    Example(
        "nasbench201",
        "NAS-Bench-201",
        "Dong, Yang 2020, arXiv:2001.00326",
        "Cells of four nodes and six edges, each edge one of five operations; a "
        "network repeats its cell fifteen times.",
        "Depth is bought with 1×1 convolutions: one more of them in a row adds 15 "
        "layers and 3,932,160 MACs, and no cell of the front has a 3×3 convolution, "
        "although accurate cells have them.",
        minimize="macs",
        maximize="layers",
        evaluations=100,
        seed=2,
    ),
    Example(
        "nats_size",
        "NATS-Bench, sizes",
        "Dong et al. 2021, arXiv:2009.00437",
        "One fixed cell in five layers, each with 8, 16, … or 64 channels.",
        "All networks were tried, so that this front is the true one. Weights cost "
        "fewer MACs where maps are small: parameters go into the last layers, and the "
        "first ones stay narrow as long as they can.",
        minimize="macs",
        maximize="parameters",
        engine="exhaustive",
    ),
    Example(
        "nasnet",
        "NASNet’s cells",
        "Zoph et al. 2017, arXiv:1707.07012",
        "A normal and a reduction cell of five blocks each; a block adds two of "
        "thirteen operations on earlier states. Networks here have one normal cell per "
        "stage.",
        "Cells are deep where blocks read the ones before them. Evolution changes one "
        "operation or one input of what is on the front, and so finds deeper cells at "
        "fewer MACs than random search does.",
        minimize="macs",
        maximize="layers",
        evaluations=60,
        options={"repeats": 1},
    ),
    Example(
        "mobile",
        "Stages of inverted residuals",
        "Tan et al. 2018, arXiv:1807.11626",
        "MnasNet’s five stages of inverted residuals, with kernel, expansion and depth "
        "of each chosen.",
        "One choice sets the peak of memory, the expansion of the first stage (3, 4 "
        "or 6), whose maps are the largest: all else computes more at no more memory.",
        minimize="peak_activation_bytes",
        maximize="macs",
        limit="parameters <= 4M",
        evaluations=60,
    ),
    Example(
        "regnet",
        "RegNets",
        "Radosavovic et al. 2020, arXiv:2003.13678",
        "Networks whose widths are a line in the number of the block, rounded to a few "
        "widths, by depth, first width, slope, factor and group width.",
        "All of the front start with the narrowest width, where maps are the largest; "
        "from there on, more blocks and wider groups add MACs at few activations.",
        minimize="activations",
        maximize="macs",
        limit="macs <= 400M",
        evaluations=60,
        options={
            "blocks": [14, 16, 18, 20, 22, 24],
            "initial": [24, 32],
            "slope": [20, 25, 30],
            "factor": ["2", "2.25", "2.5"],
            "group_width": [8, 16, 24, 32],
        },
    ),
)
"""One search of each space."""


def worked_searches() -> list[WorkedSearch]:
    """Return every example, searched."""
    return [example.searched() for example in EXAMPLES]
