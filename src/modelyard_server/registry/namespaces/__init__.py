"""Namespaces, which hold models and have one log each."""
