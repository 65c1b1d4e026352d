"""The stored output of a run: its record, state, encoders and showcase."""
