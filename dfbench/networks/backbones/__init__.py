"""Backbones by name: images in, pooled features out."""
