"""The documentation, and what makes it from the running code."""
