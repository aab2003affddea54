"""Bytes at rest: staged, hashed, published by their digest, and read with a check."""
