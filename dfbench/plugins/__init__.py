"""Plugins: discovery, probing and guarded import."""
