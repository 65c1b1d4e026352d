"""What a run leaves: its record, state, encoders, and what is shown of it."""
