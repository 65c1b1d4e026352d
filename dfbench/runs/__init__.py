"""A plan is carried out: networks made, method fitted, embeddings ranked, record written."""
