"""Readers of publishers' files and of the hub, and the splits and hold-outs that they make."""
