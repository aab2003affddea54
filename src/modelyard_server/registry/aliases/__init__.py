"""Aliases: names of versions that move, with their history."""
