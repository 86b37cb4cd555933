"""What a unit of work costs, on one thread: the constants by which algorithms predict their time.

Measured, not chosen: `make calibrate` times every algorithm on tasks of its own, fits these numbers to them, and
writes them here. They are those of one machine; between machines the ratios change less than the values.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """Seconds for each unit of work; in float32 unless said otherwise."""

    call: float
    """Of one `apply`: its set-up, whatever the size."""

    # The compiled loops.
    strip: float
    """Of one strip: the Python between two runs of a loop."""
    widen_sample: float
    """To bring one sample into a padded row of the numbers that are summed."""
    store_sample: float
    """To divide, round, clip and store one sample of the result."""
    root_sample: float
    """To make one magnitude of two gradients."""
    tap_setup: float
    """The Python of one tap, before the loops run."""
    direct_tap: float
    """Of one product added to a sum."""
    direct_tap_double: float
    direct_tap_mixed: float
    """Of one product added to a sum over several channels, each a plane of its own."""
    direct_tap_mixed_double: float
    direct_tap_short: float
    """In sums of 16-bit integers."""
    separable_tap: float
    """Of one product in one of the two passes."""
    separable_tap_double: float
    separable_tap_short: float
    polyphase_tap: float
    """Of one product of a transposed convolution."""
    polyphase_tap_double: float

    # Spectra and matrices.
    plane_sample: float
    """To bring one sample into a plane of floats."""
    fft_tile: float
    """The Python of one tile."""
    fft_kernel: float
    """The Python of one kernel, once and in each tile."""
    fft_point: float
    """Of one point of a tile and each of its log2(points), there and back."""
    fft_point_double: float
    fft_product: float
    """Of one complex product of two spectra, for each point of the tile."""
    fft_product_double: float
    fft_store: float
    """To round and store one sample of the result."""
    gemm_tile: float
    """The Python of one tile."""
    gemm_run: float
    """To find samples of a window that stand side by side."""
    gemm_copy: float
    """To lay one sample beside the others of its window."""
    gemm_copy_double: float
    gemm_mac: float
    """Of one multiplication and addition within a product of matrices."""
    gemm_mac_double: float
    gemm_store: float
    """To round and store one sample of the result, where it is an integer; a float falls into its place."""

    # Pooling.
    pool_strip: float
    """The Python of one strip."""
    pool_byte: float
    """To look at one sample of 8 bits that stands beside the one before."""
    pool_number: float
    """The same for a wider one."""
    pool_apart: float
    """To look at one sample that stands apart."""
    pool_store: float
    """To divide, round and store one mean."""


MACHINE = "AMD EPYC, AVX-512"
DATE = "2026-11-25"

RATES = Rates(
    call=1.88e-05,
    strip=1.00e-05,
    widen_sample=1.50e-10,
    store_sample=2.50e-10,
    root_sample=5.00e-10,
    tap_setup=1.50e-06,
    direct_tap=2.40e-11,
    direct_tap_double=5.00e-11,
    direct_tap_mixed=5.50e-11,
    direct_tap_mixed_double=1.10e-10,
    direct_tap_short=1.20e-11,
    separable_tap=2.40e-11,
    separable_tap_double=5.00e-11,
    separable_tap_short=1.20e-11,
    polyphase_tap=5.00e-11,
    polyphase_tap_double=1.00e-10,
    plane_sample=5.49e-10,
    fft_tile=6.17e-05,
    fft_kernel=6.86e-06,
    fft_point=2.64e-10,
    fft_point_double=5.66e-10,
    fft_product=1.78e-09,
    fft_product_double=2.98e-10,
    fft_store=8.39e-10,
    gemm_tile=1.17e-05,
    gemm_run=5.00e-09,
    gemm_copy=9.25e-11,
    gemm_copy_double=1.75e-10,
    gemm_mac=2.41e-11,
    gemm_mac_double=3.53e-11,
    gemm_store=3.20e-10,
    pool_strip=4.00e-05,
    pool_byte=2.20e-11,
    pool_number=1.25e-10,
    pool_apart=1.17e-09,
    pool_store=1.02e-10,
)
