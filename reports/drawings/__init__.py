"""Drawings of networks: boxes and arrows, as DOT and SVG."""
