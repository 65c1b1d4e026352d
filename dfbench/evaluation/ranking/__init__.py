"""Exact ranking: similarities, tie groups, and one engine for each kind of device."""
