"""The command-line tools: one file per subcommand, and what they share."""
