"""The operating system as dfbench uses it: files, locks, text, streams, the terminal."""
