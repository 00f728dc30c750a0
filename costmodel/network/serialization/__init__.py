"""Networks as JSON and back, of this schema and of the first."""
