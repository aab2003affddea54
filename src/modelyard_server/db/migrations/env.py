"""Alembic's entry: runs the migrations on the connection that ``db.schema`` hands over."""

from alembic import context

from modelyard_server.db.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite alters a table by copying it.
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
