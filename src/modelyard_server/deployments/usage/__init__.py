"""Downloads and last use of each version."""
