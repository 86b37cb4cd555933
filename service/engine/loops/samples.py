"""Kinds of samples. Images come and go as bytes: a loop that knows all kinds is compiled once, which takes long."""

UINT8, UINT16, FLOAT32, FLOAT64 = range(4)
"""Their samples are of 1, 2, 4 and 8 bytes."""
KINDS = {"uint8": UINT8, "uint16": UINT16, "float32": FLOAT32, "float64": FLOAT64}
