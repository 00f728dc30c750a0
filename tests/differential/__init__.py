"""Two versions of the engine beside each other, each in processes of its own.

``python -m tests.differential --old CHECKOUT`` asks both the same questions of
generated and of registered networks, and tells what they answer differently.

What the old engine says can be kept: ``--record FILE`` writes it, and goes on where it
was stopped; ``--against FILE`` compares the current tree with it.
"""
