"""Executing a plan: networks trained, method fitted, embeddings ranked, record written."""
