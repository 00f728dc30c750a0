"""Charts: accuracy against cost, seconds, widths, as SVG without scripts."""
