"""Executors: where and how many at a time the tasks of a suite are done."""
