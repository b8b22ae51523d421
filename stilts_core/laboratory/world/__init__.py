"""The meanings that sentences can have: concepts, events, stories, and the entailments between them."""
