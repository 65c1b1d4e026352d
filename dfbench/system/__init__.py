"""Access to the operating system: files, locks, text, streams, the terminal."""
