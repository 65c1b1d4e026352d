"""Decoding of image files, packed arrays and the cache of decoded images."""
