"""Prediction folders in XTREME's layout: how they are written, read and scored."""
