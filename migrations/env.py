"""Alembic's entry: runs on the connection that `app.migrate` opened, inside its transaction."""

from alembic import context

from app.migrate import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata(),
    render_as_batch=True,  # SQLite changes a table by building it anew
    compare_type=True,
    compare_server_default=True,
    transactional_ddl=False,  # the caller's transaction spans all steps
)
context.run_migrations()
