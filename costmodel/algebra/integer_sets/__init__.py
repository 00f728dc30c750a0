"""Sets of sizes, exactly: bounds and remainders, solved, combined and printed."""
