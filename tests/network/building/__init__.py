"""The verbs and cells that networks are written with."""
