"""The compiled inner loops, one file a subject: the only folder that knows numba."""
