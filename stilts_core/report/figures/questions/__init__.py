"""Figures of the chapters on the five questions, as SVG."""
