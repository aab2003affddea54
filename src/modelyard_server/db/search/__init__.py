"""Lists that are searched and sorted: filters as SQL, on indexes."""
