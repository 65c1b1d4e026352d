"""The web report: a static site of records and the contents of their run folders."""
