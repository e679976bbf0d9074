"""Charts: each a function that takes axes and facts, draws, and returns nothing; one style for all."""
