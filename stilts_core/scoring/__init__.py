"""Metrics and their bootstrap intervals, from gold labels and predictions alone."""
