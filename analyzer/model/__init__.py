"""The nouns that rooms pass to each other."""
