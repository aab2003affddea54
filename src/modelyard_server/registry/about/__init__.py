"""What a registry says of itself."""
