"""The transformer layer and AdamW for a CPU, in PyTorch and in C."""
