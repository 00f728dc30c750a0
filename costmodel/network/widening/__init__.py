"""Which channels of a network grow together, axis by axis, operator by operator."""
