"""Tables of records: leaderboards, overlap, ablations, and how they are printed."""
