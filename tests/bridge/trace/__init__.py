"""Traced networks against modules that run: what is compared, and with whom."""
