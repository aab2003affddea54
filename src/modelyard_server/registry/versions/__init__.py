"""Versions: frozen files and facts, with a state that people change."""
