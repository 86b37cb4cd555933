"""Changes to bytes, drawn by hypothesis, which also makes what fails as small as it can."""

from __future__ import annotations

from hypothesis import strategies as st

MOST_CHANGES = 4


@st.composite
def changed(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Take a seed, and set, cut out or double some of its bytes, or go on with the end of another."""
    result = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        if not result:
            break
        place = draw(st.integers(0, len(result) - 1))
        match draw(st.sampled_from(["set", "cut", "double", "splice"])):
            case "set":
                result[place] = draw(st.integers(0, 255))
            case "cut":
                del result[place : place + draw(st.integers(1, 4))]
            case "double":
                result[place:place] = result[place : place + draw(st.integers(1, 8))]
            case "splice":
                other = draw(st.sampled_from(seeds))
                result[place:] = other[min(place, len(other)) :]
    return bytes(result)
