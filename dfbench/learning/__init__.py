"""Shared parts of methods: losses, image pool, students, training loop."""
