"""Tables of records (leaderboards, overlap, ablations) and their output formats."""
