"""Pretrained encoders: weights, tokenizer, forward passes without padding."""
