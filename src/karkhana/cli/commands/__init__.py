"""One module a command, loaded by name when it is called."""
