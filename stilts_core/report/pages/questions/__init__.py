"""The part "What we found": a chapter for each question, and the page "Answers"."""
