"""Device profiles and their fit."""
