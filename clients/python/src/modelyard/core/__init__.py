"""What the SDK and the server share: names, references, manifests, facts and limits. Standard library only."""
