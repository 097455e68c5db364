"""The commands of the command line, one room a file; `cli` brings them together."""
