"""The laboratory's own encoder, pretrained from scratch."""
