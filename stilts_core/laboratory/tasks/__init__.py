"""Items of each task family: a meaning for every text of an example, drawn at random."""
