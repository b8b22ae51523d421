"""Intermediate-task training for zero-shot cross-lingual transfer: an executable compendium of arXiv 2005.13013."""

import os

# A waiting thread should sleep soon. Spinning for milliseconds, it would block its core for other processes and for the
# threads that still compute. GNU OpenMP reads this variable when PyTorch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
