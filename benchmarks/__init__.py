"""How fast formulas come and are evaluated, beside the counters of other tools."""
