"""Executing notebooks: the papermill engine, the pair notebook, the lessons, kernels in the warm process."""
