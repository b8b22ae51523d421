"""Languages of the laboratory: grammar, script, vocabulary, and the realiser that turns meanings into sentences."""
