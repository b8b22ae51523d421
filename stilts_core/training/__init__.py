"""The training loop: schedule, batches, checkpoints, several processes."""
