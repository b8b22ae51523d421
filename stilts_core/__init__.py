import os

# Waiting threads soon sleep, where they would spin for milliseconds and hold up what another process, or one of them,
# computes on the same core. GNU OpenMP reads this when PyTorch loads it.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
