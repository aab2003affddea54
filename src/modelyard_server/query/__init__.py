"""Filters, sort orders and pages, from the text of a request to SQL."""
