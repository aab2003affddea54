"""What the tests start: databases, registries in this process, servers in processes of their own."""
