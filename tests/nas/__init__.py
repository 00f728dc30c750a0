"""Networks that are sought, against answers found in other ways."""
