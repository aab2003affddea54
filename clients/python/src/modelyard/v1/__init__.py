"""Generated from protos/modelyard/v1; never edited. `make protos` writes it."""
