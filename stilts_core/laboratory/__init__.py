"""The laboratory: generated languages, and every task in them."""
