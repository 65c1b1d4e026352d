"""Runs: plan, identity, execution, record, store."""
