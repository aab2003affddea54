"""The filter language of lists: AIP-160, from text to a tree that names fields and compares typed values."""
