"""Random embeddings for tests."""

import numpy as np


def unit_vectors(rng: np.random.Generator, rows: int, dimensions: int = 24) -> np.ndarray:
    """Random directions, (rows, dimensions) in fp32, each of length 1."""
    vectors = rng.normal(size=(rows, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
