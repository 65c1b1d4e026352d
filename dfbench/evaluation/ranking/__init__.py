"""Exact ranking: similarities, tie groups, and one engine per kind of device."""
