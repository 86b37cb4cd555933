"""Many files at once: a folder, a glob or a list in, a folder of results out."""
