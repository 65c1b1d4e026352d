"""Image files decoded once: pictures, packed arrays, and the cache that holds them."""
