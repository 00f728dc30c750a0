"""Charts as SVG without scripts, whose marks have their names as tooltips."""

from __future__ import annotations

import re
from typing import Any

from costmodel.reports.digest import digest
from costmodel.reports.optional import library


_MARK = re.compile(r'<path aria-label="([^"]*)"([^>]*?)/>')
_CLIP = re.compile(r"\bclip(\d+)\b")
_GROUND = re.compile(r'<rect width="\d+" height="\d+" fill="[^"]*"/>')


def named(figure: Any, size: tuple[int, int]) -> str:
    """Return an Altair chart as inline SVG; marks have their names as tooltips."""
    sized = figure.properties(width=size[0], height=size[1])
    sized = sized.configure_view(stroke=None)
    text: str = library("vl_convert").vegalite_to_svg(sized.to_json())
    text = _own_ids(_GROUND.sub("", text, count=1))
    return _MARK.sub(r'<path aria-label="\1"\2><title>\1</title></path>', text)


def _own_ids(text: str) -> str:
    """Rename clips: numbered from 1 on, after a digest of the chart.

    The library numbers them throughout a process, and a page has several charts.
    """
    numbers = dict.fromkeys(_CLIP.findall(text))
    places = {number: place for place, number in enumerate(numbers, 1)}
    own = digest(_CLIP.sub("", text))[:8]
    return _CLIP.sub(lambda found: f"clip-{own}-{places[found[1]]}", text)
