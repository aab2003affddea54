"""The gRPC door: handlers for every method of the contract, health, reflection, and the drain of the server."""
