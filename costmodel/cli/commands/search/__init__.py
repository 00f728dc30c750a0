"""Commands that choose networks: space, search, scale, fit."""
