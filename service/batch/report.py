"""Print the report of a batch: what was done, what failed and why, or what would be done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from service.batch.failures import Failure
from service.batch.forecast import Forecast
from service.batch.run import Tally
from service.batch.sources import shown

MOST_SHARES = 20


def summary(tally: Tally, skipped: int, seconds: float) -> str:
    """Summarize in one line what became of the files."""
    done = tally.made + len(tally.failures)
    rate = f" ({done / seconds:,.3g} files/s)" if done and seconds else ""
    passed = f"; {tally.no_pictures:,} skipped, not pictures by their content" if tally.no_pictures else ""
    counts = f"{tally.made:,} made, {skipped:,} already there, {len(tally.failures):,} failed"
    return f"{counts} in {seconds:.1f} s{rate}{passed}"


def failures(rows: Sequence[Failure]) -> Iterator[str]:
    """Write the table of failures, sorted by file."""
    lines = [(shown(row.source), row.code, shown(row.detail)) for row in sorted(rows)]
    return table(("file", "code", "detail"), lines) if lines else iter(())


def forecast(whole: Forecast, skipped: int, workers: int) -> Iterator[str]:
    """Write the plan of the whole batch."""
    yield f"files to do       {whole.files:,}"
    yield f"already there     {skipped:,}"
    yield f"refused           {len(whole.failures):,}"
    yield f"not pictures      {whole.no_pictures:,}"
    yield f"pixels            {whole.pixels_in:,} in, {whole.pixels_out:,} out"
    yield f"multiplications   {whole.macs:,}"
    yield f"predicted time    {whole.seconds:.3g} s of work, reading and writing files not counted"
    yield f"peak memory       {whole.peak_bytes:,} bytes for the largest job; {workers} at a time"
    if whole.shares:
        shares = sorted(whole.shares.items(), key=lambda entry: -entry[1].files)
        rows = [(f"{share.files:,}", shapes.image, shapes.output, f"{share.seconds:.3g}") for shapes, share in shares]
        yield ""
        yield from table(("files", "image", "output", "seconds each"), rows[:MOST_SHARES])
        if len(rows) > MOST_SHARES:
            yield f"and {len(rows) - MOST_SHARES:,} other forms"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Align columns; the last one is not padded."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head) - 1)]
    for row in (head, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]])
