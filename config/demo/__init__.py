"""The demo project: a small shop's customers, and the generator of their data. Everything else here is a project's files."""
