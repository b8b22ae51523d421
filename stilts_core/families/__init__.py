"""One module for each task family, from example to score, and the modules that they share."""
