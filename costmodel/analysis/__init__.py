"""Analyses of networks: costs, memory, receptive fields, input sizes, claims."""
