"""The book's generated pages, from records only."""
