"""The report: a static site of records and of what run folders hold beside them."""
