"""The database: engines, transactions, migrations, and the outcomes of requests."""
