"""Strangers' files, specs and clients: generators of what comes, and the tests that it harms nobody."""
