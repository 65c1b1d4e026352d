"""The conformance kit: what a method has to keep, checked at a size of seconds."""
