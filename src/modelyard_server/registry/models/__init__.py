"""Models, their search texts and their deletion."""
