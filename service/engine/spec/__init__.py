"""Read the client's document, from JSON to operations, and define the names that it may use."""
