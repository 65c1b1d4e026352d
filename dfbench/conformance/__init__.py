"""The conformance kit: checks of a method's contract on a small example that runs in seconds."""
