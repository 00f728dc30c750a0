"""Differences that are known, each with its reason.

They are faults of the old engine, or kinds of operators that are called otherwise under
the second schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """Differences of some classes whose place, or what was said, has a certain form.

    ``kind`` is searched for in the class, ``where`` in the network's name and the way
    to the answer; ``then`` and ``now`` in what the old and the new engine say. With
    ``same``, what the old one says has to become what the new one says.
    """

    reason: str
    kind: str
    where: str = ""
    then: str = ""
    now: str = ""
    same: Callable[[str], str] | None = None

    def covers(self, network: str, difference: list[str]) -> bool:
        """Say whether a difference is one of them."""
        kind, path, then, now = difference
        return (
            re.search(self.kind, kind) is not None
            and re.search(self.where, f"{network}/{path}") is not None
            and re.search(self.then, then) is not None
            and re.search(self.now, now) is not None
            and (self.same is None or self.same(then) == now)
        )


RENAMED = {
    "pad_channels": "pad", "pad_axis": "pad", "select_channels": "slice",
    "select": "slice", "roll": "copy", "flip": "copy", "last_linear": "linear",
    "conv1d": "conv", "upsample": "resize",
}  # fmt: skip
"""Kinds of operators of the first schema, and what they are called now (0025)."""

OF_A_TABLE = ("pointwise", "scalar", "binary")
"""Kinds that are called as their function or operation is now (0023)."""


def renamed(said: str) -> str:
    """Return what was said with today's names of kinds in front of nodes."""
    before = "|".join(RENAMED)
    return re.sub(rf"\b({before})(?= at \")", lambda m: RENAMED[m[1]], said)


_UNREACHED = "no gradient gets behind zeros: weights there were counted as trained"
_NAMES = "kinds have other names (0023, 0025)"
_OLD = rf"({'|'.join([*RENAMED, *OF_A_TABLE])})"
_NEW = rf"({'|'.join(set(RENAMED.values()))})"

_FIELD = "^(fields|fields otherwise|bound|bound again): "
"""The sections that ask what is seen."""

_ROW = "a row of one axis had a field of two: its second number was of no axis"
_GONE = "positions were kept in vectors, and behind reshapes, that are there no more"
_ENDS = "what slices and pads of one axis do at its end was left out"
_SUMLESS = "an einsum that sums over nothing was taken to see all of its operands"
_SUPPORT = "exact supports were followed through maps alone, or failed"
_NEIGHBOUR = "behind a reshape an axis of one position was taken for its neighbour"
_SAME = "a row of one axis was not padded as TensorFlow pads"
_OTHER = "what is seen was told of a vector, which has no positions, or of one axis"
_JOINED = "height that lies in the channels was an axis still when they were joined"
_PADS = "channels that the pad of an axis adds were not widened, unlike pad_channels"
_ALL_OF_IT = "all of a tensor, as a part or expanded, had a gradient of its own"
_COPIED = "what products and norms copy of strided or stored operands was not saved"
_HIDDEN = "height that was merged with the channels was an axis of positions still"
_VECTOR = "any part of a vector was said to see the whole image; now it is refused"
_RUNNING = "each position of a running sum was said to see all positions"
_ALONG = "operators that leave the image's positions alone were refused"
_ONE_IMAGE = "a network of a row was said to take no image"

_BY_NAME = "ptflops and DeepSpeed count torch.add and torch.mul, called by name"

_ONE = r"^\([^,]*,\)$|^\[\[[^\[\]]*\]\]$|^\(\([^()]*\),\)$|^\[[^,]*\]$"
"""A tuple or list of one number, or of one window."""

ANSWERED = r"^(?!\{'(refused|failed)')"

KNOWN_DIFFERENCES: tuple[Known, ...] = (
    # Names.
    Known(_NAMES, "^kinds: value$", "/kind/", rf"^{_OLD} ?$"),
    Known(_NAMES, "^kinds: value$", "/text/", "^linear of the last axis", "^linear"),
    Known(_NAMES, "^kinds: value$", "/text/", "^pad axis", "^pad"),
    Known(_NAMES, "^kinds: value$", "/text/", r"^\d+ of axis 1 from", "^channels"),
    Known(_NAMES, "^kinds: value$", "/text/conv1d", "groups", "depthwise"),
    # Made of kinds and texts, which are compared by themselves.
    Known(_NAMES, "^kinds: value$", "/table$"),
    Known(_NAMES, "^kinds: ", rf"/by operator/({_OLD}|{_NEW})$"),
    Known(_NAMES, "^kinds: in one alone$", "/by operator/", "^nothing"),
    Known(_NAMES, "^kinds: order$", "/by operator$"),
    Known(_NAMES, ": text of refusal$", same=renamed),
    # Rows of one axis.
    Known(_ROW, f"{_FIELD}length$", then=r"^\[.*, .*\]$", now=_ONE),
    Known(_ROW, f"{_FIELD}.*refus", "/region$", now=r"is not a \(length,\)"),
    Known(_ROW, f"{_FIELD}value$", "/remainders/", "^(height|width) ",
          "^(length|depth|height) "),
    Known(_SAME, f"{_FIELD}value$", "/same/.*(padding|offset|region)/",
          "^(?!.*oo)", "^(?!.*oo)"),
    Known(_ONE_IMAGE, "^input sizes: text of refusal$",
          then="does not take one image$",
          now="the (length|size) of .* is .* already; ask a network without"),
    # Vectors.
    Known(_GONE, f"{_FIELD}value$", "", r"^(?!.*oo)", r"oo"),
    Known(_GONE, f"{_FIELD}value$", r"/(beyond|unbounded)$",
          now="^(reshape|flatten|reduce)"),
    Known(_GONE, f"{_FIELD}refused now$", r"/(stride|offset)$",
          now=r'sees the whole input, through \\?"(reshape|flatten|reduce)'),
    Known(_GONE, f"{_FIELD}text of refusal$", r"/(stride|offset)$",
          "sees the whole input", 'sees the whole input, through "(reshape|flatten)'),
    # What is said of the network is said of its last node with positions.
    Known(_OTHER, f"{_FIELD}value$", "/(same|field)/", "oo|^reduce", "^[^o]*$|^None"),
    Known(_OTHER, f"{_FIELD}answered now$", "/(same|field)/offset$",
          r'sees the whole input, through \\?"reduce', ANSWERED),
    Known(_OTHER, f"{_FIELD}text of refusal$", "/(same|field)/offset$",
          "sees the whole input", "sees the whole input"),
    Known(_OTHER, f"{_FIELD}length$", "/windows$"),
    Known("along an axis of one position any stride is true", "^bound again: value$",
          "/(same|field)/stride/"),
    # The ends of an axis.
    Known(_ENDS, f"{_FIELD}value$", r"/padding_after/|/windows/\d+/\d+/3$"),
    Known(_ENDS, f"{_FIELD}(refused now|text of refusal)$",
          now="pad(_to)? at .* which positions it looks at is not followed"),
    Known(_ENDS, "^bound.*: length$", "/remainders$", r"^\[\]$", "slice"),
    # Einsums.
    Known(_SUMLESS, f"{_FIELD}value$", "^(products |drawn_).*/rows/", "oo", "^[^o]*$"),
    Known(_SUMLESS, f"{_FIELD}value$", r"/(beyond|unbounded)$", then="^einsum"),
    Known(_SUMLESS, f"{_FIELD}value$", r"/name$", now="^einsum"),
    Known(_SUMLESS, f"{_FIELD}answered now$", r"/(stride|offset)$",
          then=r'sees the whole input, through \\?"einsum', now=ANSWERED),
    Known(_SUMLESS, f"{_FIELD}text of refusal$", r"/(stride|offset)$",
          'sees the whole input, through "einsum', "sees the whole input"),
    # Forms.
    Known(_BY_NAME, "^flops otherwise: value$", "/function/(ptflops|deepspeed)$"),
    # Widths.
    Known("a width was written with symbols that cancel", "^widened: symbols$"),
    Known(_PADS, "^widened: value$", "^tensors "),
    Known(_PADS, "^widened: refused now$",
          now="which grows|channels in steps of|pads channels up to"),
    # Memory of a training step.
    Known(_ALL_OF_IT, "^memory in (training|place): (value|length)$", "^tensors "),
    Known(_ALL_OF_IT, "^bound.*: value$", "^tensors .*/peaks/1/"),
    Known(_ALL_OF_IT, "^memory in (training|place): (value|length)$",
          "^drawn_072/.*(timeline|tensors)"),
    Known(_ALL_OF_IT, "^bound.*: value$", "^drawn_072/.*/peaks/1/0$",
          "^repeat1 $", "^rms_norm1 $"),
    Known(_COPIED, "^memory in (training|place): (value|length)$",
          "^drawn_(024|077)/.*(activation_bytes|saved_bytes|timeline|tensors)"),
    Known(_COPIED, "^bound.*: value$", "^drawn_(024|077)/.*/peaks/1/"),
    Known(_UNREACHED, "^training: value$", "^drawn_.*/rows/", now=r"^0 \["),
    Known(_UNREACHED, "^training: value$", "^drawn_086/"),
    Known(_UNREACHED, "^memory.*: value$", "^drawn_086/.*(gradient_bytes|optimizers)"),
    # What was refused.
    Known(_SUPPORT, "^bound.*: answered now$", r"/support$",
          "has no rule for|has no positions along|failed", ANSWERED),
    Known(_ALONG, f"{_FIELD}answered now$", "",
          "which positions (it looks at is not followed|repeat)"
          "|channels that see different things", ANSWERED),
    Known(_JOINED, f"{_FIELD}(refused now|fault)$",
          now="concat at .* see different things at different positions"),
    Known(_HIDDEN, "^fields.*: refused now$",
          "^drawn_069/.*rows/(permute|scalar).*/(stride|offset)$",
          r"^\[[01], [01]\]$", r'sees the whole input, through \\?"(permute|scalar)'),
    Known(_HIDDEN, "^fields.*: value$", "^drawn_069/.*/unbounded$", "^None",
          "^(permute|scalar)"),
    Known(_VECTOR, "^fields.*: refused now$", "^drawn_040/.*rows/", "oo",
          "flattened into a vector, of which parts are not followed"),
    Known(_RUNNING, f"{_FIELD}refused now$", "^drawn_05[89]/", "^{'name'",
          "cumulate at .* each position sees all those before it"),
    Known(_ALONG, f"{_FIELD}text of refusal$", "",
          "which positions (it looks at is not followed|repeat)"
          "|channels that see different things"),
    Known(_NEIGHBOUR, f"{_FIELD}value$", r"/name$"),
)  # fmt: skip
"""An entry's ``reason`` says what the old engine does wrong, or what is renamed."""


def reason_of(network: str, difference: list[str]) -> str | None:
    """Return why a difference is there, if it is known."""
    for known in KNOWN_DIFFERENCES:
        if known.covers(network, difference):
            return known.reason
    return None
