"""Reads of files, whole, by range or many in one call."""
