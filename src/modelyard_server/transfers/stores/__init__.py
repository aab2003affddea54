"""Which store holds the bytes of the database, so that a server never starts on another one."""
