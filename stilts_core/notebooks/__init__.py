"""Executing notebooks: the papermill engine, pair, lessons and reruns of questions, kernels in the warm process."""
