"""Pages: blueprints, templates, assets."""
