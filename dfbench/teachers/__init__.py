"""Teachers: recipes, training, cache."""
