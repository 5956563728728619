"""The `gatekeep` command line: one module a subcommand."""
