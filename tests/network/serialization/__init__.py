"""Networks as JSON."""
