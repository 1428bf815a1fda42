"""The command that reconciles the books of two sides."""

from hansa.cli.reconcile.running import add_commands as add_commands
