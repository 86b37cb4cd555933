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
    weave_sample: float
    """To put one sample of the result beside those of other planes, two, three, four or six in all."""
    weave_sample_apart: float
    """The same for other numbers of planes."""
    column_setup: float
    """The Python of one column of taps, before the loops run."""
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

    # The codecs; a byte is one of the samples', not of the file.
    png_read_byte: float
    """To read one from a PNG."""
    png_write_byte: float
    """To filter and deflate one, "fast"."""

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
    call=2.78e-05,
    strip=7.51e-05,
    widen_sample=6.24e-11,
    store_sample=1.51e-11,
    root_sample=2.42e-10,
    weave_sample=5.31e-10,
    weave_sample_apart=7.83e-10,
    column_setup=4.28e-06,
    direct_tap=2.65e-11,
    direct_tap_double=5.38e-11,
    direct_tap_mixed=3.14e-11,
    direct_tap_mixed_double=6.32e-11,
    direct_tap_short=1.54e-11,
    separable_tap=3.86e-11,
    separable_tap_double=9.18e-11,
    separable_tap_short=2.59e-11,
    polyphase_tap=1.14e-11,
    polyphase_tap_double=2.21e-10,
    plane_sample=5.50e-10,
    fft_tile=5.01e-05,
    fft_kernel=6.93e-06,
    fft_point=1.10e-10,
    fft_point_double=3.42e-10,
    fft_product=5.31e-09,
    fft_product_double=2.71e-09,
    fft_store=8.37e-10,
    gemm_tile=4.88e-08,
    gemm_run=7.63e-09,
    gemm_copy=5.49e-11,
    gemm_copy_double=1.50e-10,
    gemm_mac=1.81e-11,
    gemm_mac_double=3.02e-11,
    gemm_store=3.25e-10,
    png_read_byte=2.09e-09,
    png_write_byte=1.36e-09,
    pool_strip=2.61e-05,
    pool_byte=2.87e-11,
    pool_number=1.16e-10,
    pool_apart=1.10e-09,
    pool_store=1.01e-12,
)
