"""Deflate (RFC 1951) for bytes that are small or run on: Huffman codes for literals and runs, no search for matches.

A run is a match of distance 1, found where 8 bytes equal the 8 that begin one byte earlier. All bytes are one dynamic
block; an empty stored one behind it ends on a byte's border, so that another stream may follow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.vectors import lane, leading_zeros, load_as, splat_as, store, trailing_zeros

Bytes = NDArray[np.uint8]
Counts = NDArray[np.int64]
Lengths = NDArray[np.uint8]
Runs = NDArray[np.int32]

SYMBOLS = 286
"""Literals, the end of the block, lengths of matches."""
RUN = 8
"""Bytes of the shortest run that is looked for; a shorter one hardly costs more as literals."""
CODE_BITS = 14
"""The longest code; four of them fit into 64 bits."""
MOST_BYTES = 2**20
DENSE = 3
"""Bits for each byte: from here on, few bytes that are alike by chance are worth a match."""
_PIECE_BYTES, _PIECE_EVERY = 2**14, 2**17
_LENGTH, _CODE, _WORD_BITS = np.uint64(32), np.uint64(0xFFFF), np.uint64(64)
_WORD, _HASH_BITS, _REMEMBERED_EVERY, _LOOK_EVERY = 8, 12, 4, 64
_META, _META_BITS = 19, 7
HEAD_BYTES = (17 + 3 * _META + (SYMBOLS + 2) * 2 * _META_BITS) // 8 + 8
"""The longest head, and a word: words of 8 bytes are stored, even where only one byte is in use."""
END_BYTES = 2 + 8
"""The empty block and a word."""

_END, _FIRST_LENGTH, _LONGEST = 256, 257, 258
_LENGTH_STARTS = np.array(
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258]
)
_LENGTH_EXTRA = np.array([0] * 8 + [bits for bits in range(1, 6) for _ in range(4)] + [0])
_LENGTH_SYMBOL = np.searchsorted(_LENGTH_STARTS, np.arange(_LONGEST + 1), "right") - 1
"""By length of a match; of section 3.2.5, as the two before it."""
_META_ORDER = np.array([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15])


@compiled(inlined=True)
def _word(data: Bytes, place: Any) -> Any:
    """Load 8 bytes from any place, the first one lowest. Trap: no bound is checked."""
    return lane(load_as(np.uint64, data, place, 1), 0)


@compiled(inlined=True)
def _put_word(data: Bytes, place: Any, value: Any) -> None:
    """Store 8 bytes anywhere, the lowest one first. Trap: no bound is checked."""
    store(data, place, splat_as(np.uint64, value, 1))


@compiled(inlined=True)
def _zeros_below(word: Any) -> Any:
    return np.int64(lane(trailing_zeros(splat_as(np.uint64, word, 1)), 0))


@compiled(inlined=True)
def _zeros_above(word: Any) -> Any:
    return np.int64(lane(leading_zeros(splat_as(np.uint64, word, 1)), 0))


@compiled
def code(data: Bytes, out: Bytes) -> tuple[int, int, float]:
    """Write `data`, 1 to `MOST_BYTES` bytes, to `out`; gives the bytes and the bits that this takes.

    Nothing is written, and 0 bytes given, where `out` is shorter than these and `END_BYTES`. The third number is about
    the share of the bits that matches would save; it is looked for, and not 0, where codes take `DENSE` bits for each
    byte or more.
    """
    runs = np.empty((len(data) // RUN, 2), np.int32)
    lengths, head = np.empty(SYMBOLS, np.uint8), np.empty(HEAD_BYTES, np.uint8)
    found, head_bits, bits = measure(data, runs, lengths, head)
    saved = _saved_by_matches(data, lengths) if bits >= DENSE * len(data) else 0.0
    if bits // 8 + END_BYTES > len(out):
        return 0, bits, saved
    return write(data, runs[:found], lengths, head, head_bits, out), bits, saved


@compiled
def _saved_by_matches(data: Bytes, lengths: Lengths) -> float:
    """Estimate the share of the bits of literals that matches would save, from one piece in so many bytes."""
    saved, total = 0.0, 1.0
    for first in range(0, len(data), _PIECE_EVERY):
        save, bits = _saved_in_piece(data[first : first + _PIECE_BYTES], lengths)
        saved, total = saved + save, total + bits
    return saved / total


@compiled
def _saved_in_piece(data: Bytes, lengths: Lengths) -> tuple[float, float]:
    """Give the bits saved and those of the literals looked at.

    Every fourth word of 4 bytes is remembered by its place. Now and then four words in a row are looked up: whatever
    their distance from where the same bytes came before, one of those four was remembered.
    """
    places = np.zeros(1 << _HASH_BITS, np.uint16)
    saved, total = 0.0, 0.0
    for start in range(_WORD, len(data) - _LOOK_EVERY - _WORD, _LOOK_EVERY):
        for here in range(start, start + _REMEMBERED_EVERY):
            word = _word(data, here)
            before = np.int64(places[_hash(word)])
            bits: Any = lengths[data[here]]
            total += bits
            alike = _zeros_below(word ^ _word(data, before)) >> 3
            if alike < 4 or before < _WORD or word == _word(data, here - 1):
                continue  # none, or a run
            back = _zeros_above(_word(data, here - _WORD) ^ _word(data, before - _WORD)) >> 3
            literals: Any = 0
            for place in range(here - back, here + alike):
                literals += np.int64(lengths[data[place]])
            match = 76 - _zeros_above(np.uint64(here - before))  # 12 bits, and those of the distance
            if literals > match:
                saved += bits * (literals - match) / literals
        for here in range(start, start + _LOOK_EVERY, _REMEMBERED_EVERY):
            places[_hash(_word(data, here))] = here
    return saved, total


@compiled
def _hash(word: Any) -> Any:
    """Spread the lower 4 bytes of a word."""
    return ((word << np.uint64(32)) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - _HASH_BITS)


@compiled
def measure(data: Bytes, runs: Runs, lengths: Lengths, head: Bytes) -> tuple[int, int, int]:
    """Find the runs of `data` and the lengths of codes, and write the head of the block.

    `data` has 1 to `MOST_BYTES` bytes, `runs` is (len(data) // RUN, 2), `lengths` (SYMBOLS,), `head` (HEAD_BYTES,).
    Gives the number of runs, the bits of the head, and those of head and symbols.
    """
    counts = np.zeros(SYMBOLS, np.int64)
    found = _find_runs(data, counts, runs)
    code_lengths(counts, CODE_BITS, lengths)
    head_bits = _put_head(lengths, head)
    return found, head_bits, head_bits + _price(counts, lengths)


@compiled
def _find_runs(data: Bytes, counts: Counts, runs: Runs) -> int:
    """Count how often each symbol stands for `data`, and note where runs begin and end; gives how many there are."""
    size = len(data)
    lanes = np.zeros(8 * 256, np.uint32)  # side by side: a count that was just stored cannot be loaded at once
    lanes[data[0]] += np.uint32(1)
    found, here, coded = 0, 1, 1  # before `coded` runs end, and no other may begin
    while here + RUN <= size:
        word = _word(data, here)
        if word != _word(data, here - 1):
            for lane in range(8):
                lanes[np.uint64(256 * lane) + ((word >> np.uint64(8 * lane)) & np.uint64(255))] += np.uint32(1)
            here += RUN
            continue
        first, last = here, here + RUN
        if here > RUN:  # how far back are bytes alike that were counted as literals?
            alike = _zeros_above(_word(data, here - 8) ^ _word(data, here - 9)) >> 3
            first -= min(alike, here - coded)
            lanes[data[here]] -= np.uint32(here - first)
        while last + RUN <= size and _word(data, last) == _word(data, last - 1):
            last += RUN
        if last + RUN <= size:
            last += _zeros_below(_word(data, last) ^ _word(data, last - 1)) >> 3
        else:
            while last < size and data[last] == data[last - 1]:
                last += 1
        rest = (last - first) % _LONGEST
        if rest < 3:  # too few for a match: literals
            last, rest = last - rest, 0
        counts[_FIRST_LENGTH + _LENGTH_SYMBOL[_LONGEST]] += (last - first) // _LONGEST
        if rest:
            counts[_FIRST_LENGTH + _LENGTH_SYMBOL[rest]] += 1
        runs[found, 0], runs[found, 1] = first, last
        found += 1
        here = coded = last
    for place in range(here, size):
        lanes[data[place]] += np.uint32(1)
    for symbol in range(256):
        total = np.uint32(0)
        for lane in range(8):
            total = np.uint32(total + lanes[256 * lane + symbol])
        counts[symbol] += np.int64(total)
    counts[_END] += 1
    return found


@compiled
def code_lengths(counts: Counts, longest: int, lengths: Lengths) -> None:
    """Find Huffman's code lengths of at most `longest` bits for at least two symbols that occur; 0 for the others.

    Depths of Huffman's tree beyond `longest` are cut off, and shorter codes made longer until Kraft's sum is 1 again.
    """
    size = len(counts)
    keys = np.empty(size, np.int64)  # count and symbol in one number
    used = 0
    for symbol in range(size):
        if counts[symbol]:
            keys[used] = counts[symbol] * 512 + symbol
            used += 1
    for gap in (132, 57, 23, 10, 4, 1):  # Shell's sort
        for i in range(gap, used):
            key, j = keys[i], i
            while j >= gap and keys[j - gap] > key:
                keys[j] = keys[j - gap]
                j -= gap
            keys[j] = key
    parents = np.empty(2 * used, np.int64)
    weights = np.empty(2 * used, np.int64)
    for i in range(used):
        weights[i] = keys[i] >> 9
    leaf, inner, end = 0, used, used
    while end < 2 * used - 1:  # join the two lightest: leaves and inner nodes both come in order of their weight
        weights[end] = 0
        for _ in range(2):
            if leaf < used and (inner == end or weights[leaf] <= weights[inner]):
                child, leaf = leaf, leaf + 1
            else:
                child, inner = inner, inner + 1
            weights[end] += weights[child]
            parents[child] = end
        end += 1
    depths = weights
    depths[end - 1] = 0  # the root
    numbers = np.zeros(longest + 1, np.int64)  # of codes, by length
    for node in range(end - 2, -1, -1):
        depths[node] = depths[parents[node]] + 1
        if node < used:
            numbers[min(depths[node], longest)] += 1
    kraft = 0
    for length in range(1, longest + 1):
        kraft += numbers[length] << (longest - length)
    while (
        kraft > 1 << longest
    ):  # by one each time: a shorter code is split, and one of the longest takes its other half
        length = longest - 1
        while not numbers[length]:
            length -= 1
        numbers[length] -= 1
        numbers[length + 1] += 2
        numbers[longest] -= 1
        kraft -= 1
    lengths[:] = 0
    place = used
    for length in range(1, longest + 1):
        for _ in range(numbers[length]):
            place -= 1
            lengths[keys[place] & 511] = length


@compiled
def _price(counts: Counts, lengths: Lengths) -> int:
    bits = 0
    for symbol in range(SYMBOLS):
        length: Any = np.int64(lengths[symbol])
        if symbol >= _FIRST_LENGTH:
            length += _LENGTH_EXTRA[symbol - _FIRST_LENGTH] + 1
        bits += counts[symbol] * length
    return bits


@compiled
def _codes(lengths: Lengths) -> NDArray[np.uint64]:
    """Give codes of these lengths (section 3.2.2), their first bit lowest; the lengths stand from bit `_LENGTH` on."""
    numbers = np.zeros(16, np.int64)
    for each in lengths:
        numbers[each] += 1
    numbers[0] = 0
    following = np.zeros(16, np.int64)
    for bits in range(1, 16):
        following[bits] = (following[bits - 1] + numbers[bits - 1]) << 1
    codes = np.zeros(len(lengths), np.uint64)
    for symbol in range(len(lengths)):
        length: Any = lengths[symbol]
        code, mirrored = following[length], 0
        following[length] += 1
        for _ in range(length):
            mirrored, code = mirrored << 1 | code & 1, code >> 1
        codes[symbol] = np.uint64(mirrored) | np.uint64(length) << _LENGTH
    return codes


@compiled
def _put(out: Bytes, bit: int, value: Any, bits: Any) -> Any:
    """Write some bits behind those before `bit`; gives where the next one belongs."""
    place = bit >> 3
    _put_word(out, place, np.uint64(out[place]) | np.uint64(value) << np.uint64(bit & 7))
    return bit + bits


@compiled
def _put_head(lengths: Lengths, out: Bytes) -> Any:
    """Write the head of a dynamic block with these code lengths (section 3.2.7); gives its bits.

    Distances 1 and 2 get a code of one bit each: the second is not used, but makes the code complete.
    """
    literals = SYMBOLS
    while not lengths[literals - 1]:
        literals -= 1
    series = np.ones(literals + 2, np.int64)
    for i in range(literals):
        series[i] = lengths[i]
    symbols = np.empty((literals + 2, 3), np.int64)  # symbol, extra bits' value, their number
    used, place = 0, 0
    counts = np.zeros(_META, np.int64)
    while place < len(series):
        same = 1
        while place + same < len(series) and series[place + same] == series[place]:
            same += 1
        symbol: Any = series[place]
        value, extra = 0, 0
        if symbol == 0 and same >= 11:
            same = min(same, 138)
            symbol, value, extra = 18, same - 11, 7
        elif symbol == 0 and same >= 3:
            symbol, value, extra = 17, same - 3, 3
        else:
            same = 1
        symbols[used, 0], symbols[used, 1], symbols[used, 2] = symbol, value, extra
        counts[symbol] += 1
        used += 1
        place += same
    meta = np.empty(_META, np.uint8)
    code_lengths(counts, _META_BITS, meta)
    codes = _codes(meta)
    kinds = _META
    while not meta[_META_ORDER[kinds - 1]]:
        kinds -= 1
    out[0] = 0
    bit = _put(out, 0, 2 << 1 | (literals - 257) << 3 | 1 << 8 | (kinds - 4) << 13, 17)
    for kind in range(kinds):
        bit = _put(out, bit, np.int64(meta[_META_ORDER[kind]]), 3)
    for i in range(used):
        bit = _put(out, bit, codes[symbols[i, 0]] & _CODE, np.int64(meta[symbols[i, 0]]))
        bit = _put(out, bit, symbols[i, 1], symbols[i, 2])
    return bit


@compiled
def _append(out: Bytes, place: Any, held: Any, bits: Any, code: Any, length: Any) -> tuple[Any, Any, Any]:
    """Put a code of fewer than 64 bits behind the `bits` that are `held`; a word that is full goes to `place`."""
    held |= code << bits
    total = bits + length
    _put_word(out, place, held)  # in any case: whether a word is full cannot be foreseen, and a branch would cost more
    full = total >> np.uint64(6)
    rest = code >> ((_WORD_BITS - bits) & np.uint64(63))
    held = rest if full else held
    return place + np.int64(full << np.uint64(3)), held, total & np.uint64(63)


@compiled
def write(data: Bytes, runs: Runs, lengths: Lengths, head: Bytes, head_bits: int, out: Bytes) -> Any:
    """Write the head, literals and runs, the end of the block and an empty stored one; gives the bytes of it all.

    `runs` to `head_bits` are what `measure` gave, and the runs that it found; `out` holds `END_BYTES` more than its
    bits.
    """
    for i in range(head_bits // 8 + 1):
        out[i] = head[i]
    codes = _codes(lengths)
    place: Any = head_bits >> 3
    here, bits, held = 0, np.uint64(head_bits & 7), np.uint64(out[place])
    for run in range(len(runs) + 1):
        first, last = (runs[run, 0], runs[run, 1]) if run < len(runs) else (len(data), len(data))
        while here + 4 <= first:  # four codes are joined before they are put behind what is held
            a, b = codes[data[here]], codes[data[here + 1]]
            c, d = codes[data[here + 2]], codes[data[here + 3]]
            two, upper = (a >> _LENGTH) + (b >> _LENGTH), (c >> _LENGTH) + (d >> _LENGTH)
            lower_codes = (a & _CODE) | (b & _CODE) << (a >> _LENGTH)
            upper_codes = (c & _CODE) | (d & _CODE) << (c >> _LENGTH)
            place, held, bits = _append(out, place, held, bits, lower_codes | upper_codes << two, two + upper)
            here += 4
        while here < first:
            code = codes[data[here]]
            place, held, bits = _append(out, place, held, bits, code & _CODE, code >> _LENGTH)
            here += 1
        while here < last:
            length = min(last - here, _LONGEST)
            symbol = _LENGTH_SYMBOL[length]
            code = codes[_FIRST_LENGTH + symbol]
            place, held, bits = _append(out, place, held, bits, code & _CODE, code >> _LENGTH)
            extra = np.uint64(length - _LENGTH_STARTS[symbol])
            extra_bits = np.uint64(_LENGTH_EXTRA[symbol] + 1)  # and the code of distance 1, a zero
            place, held, bits = _append(out, place, held, bits, extra, extra_bits)
            here += length
    place, held, bits = _append(out, place, held, bits, codes[_END] & _CODE, codes[_END] >> _LENGTH)
    _put_word(out, place, held)
    whole = bits >> np.uint64(3)  # bytes of what is held: behind them there are fewer than 8 bits, and then zeros
    place += np.int64(whole)
    _put_word(out, place, held >> (whole << np.uint64(3)))
    place += np.int64(((bits & np.uint64(7)) + np.uint64(3 + 7)) >> np.uint64(3))
    _put_word(out, place, np.uint64(0xFFFF0000))
    return place + 4
