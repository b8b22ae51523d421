"""One run: its inputs, its two phases, its evaluation, its record."""
