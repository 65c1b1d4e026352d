"""Re-ranking: a second stage that scores a gallery anew from embeddings alone, without labels.

A re-ranker sees the whole gallery at once, so it is transductive: it may use how photos relate to
each other. Its scores are reported under its own name and never replace those of the plain ranking.
"""
