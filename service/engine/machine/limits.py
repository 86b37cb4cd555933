"""What one job may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Upper bounds, checked from header and spec before a pixel is decoded."""

    max_image_pixels: int = 50_000_000
    max_output_pixels: int = 50_000_000
    max_channels: int = 1024
    max_steps: int = 16
    max_kernel_side: int = 255
    max_macs: int = 200_000_000_000
    max_memory_bytes: int = 4 * 2**30
