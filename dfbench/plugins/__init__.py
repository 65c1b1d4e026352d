"""Plugins: found, asked what they offer, imported under guard."""
