"""Uploads that can be resumed, one writer at a time."""
