"""Tables and figures of embeddings that the user brings."""
