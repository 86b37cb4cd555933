"""The client's document, from JSON to operations, and what it may name."""
