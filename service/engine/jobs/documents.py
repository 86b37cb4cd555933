"""Split the JSON documents of clients into image and spec, or image shape and spec."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast, get_args

from service.engine.algorithms.base import Sample
from service.engine.codecs import Buffer, ImageInfo
from service.engine.errors import (
    AmbiguousRequest,
    Fault,
    ImageTooLarge,
    InvalidSpec,
    MalformedJson,
    MissingImage,
    MissingSpec,
    TooManyChannels,
)
from service.engine.jobs.embedded import embedded_image
from service.engine.machine.limits import Limits
from service.engine.spec.strict_json import loads
from service.engine.spec.whole_numbers import whole
from service.engine.spec.wording import listed, nearest, pointer, shown

LARGEST_SIDE = 2**31 - 1


def filter_document(body: Buffer, *, preset: bool) -> tuple[bytes, object]:
    """Split `{"image": base64 or data: URI, "spec": …}`; with `preset` a spec is refused, and None returned for it."""
    document = _object(body, {"image"} if preset else {"image", "spec"})
    if "image" not in document:
        raise MissingImage('the document has no "image"')
    if not preset and "spec" not in document:
        raise MissingSpec('the document has no "spec"')
    return embedded_image(document["image"]), document.get("spec")


def plan_document(body: Buffer, limits: Limits) -> tuple[ImageInfo, object]:
    """Split `{"spec": …, "image": {"width", "height", "channels", "dtype"}}`.

    Integers in up to four channels mean a picture, whose second or fourth channel is alpha; anything else an array.
    """
    document = _object(body, {"image", "spec"})
    if "spec" not in document:
        raise MissingSpec('the document has no "spec"')
    if "image" not in document:
        raise MissingImage('the document has no "image": give its "width" and "height"')
    return image_info(document["image"], limits), document["spec"]


def image_info(image: object, limits: Limits) -> ImageInfo:
    """Read the shape of an image that is not sent itself; raises InvalidSpec with pointers from "/image"."""
    if not isinstance(image, dict):
        raise InvalidSpec('"image" must be an object with "width" and "height"').at("/image")
    faults = [
        Fault(pointer(["image", name]), _unknown(name, IMAGE_FIELDS)) for name in image if name not in IMAGE_FIELDS
    ]
    fields = {"channels": 3, "dtype": "uint8", **image}
    sides: dict[str, int] = {}
    for name, most in IMAGE_FIELDS.items():
        value = fields.get(name)
        if name == "dtype":
            if value not in get_args(Sample):
                faults.append(
                    Fault("/image/dtype", f"must be one of {', '.join(get_args(Sample))}; was {shown(value)}")
                )
        elif name not in fields:
            faults.append(Fault(f"/image/{name}", f"{name} is missing"))
        elif (side := whole(value)) is None or not 1 <= side <= most:
            faults.append(Fault(f"/image/{name}", f"{name} must be an integer from 1 to {most:,}, was {shown(value)}"))
        else:
            sides[name] = side
    if faults:
        raise InvalidSpec.of(faults)
    width, height, channels = (sides[name] for name in ("width", "height", "channels"))
    dtype = cast(Sample, fields["dtype"])
    if width * height > limits.max_image_pixels:
        raise ImageTooLarge(
            f"the image would have {width}x{height} = {width * height:,} pixels; "
            f"at most {limits.max_image_pixels:,} (max_image_pixels) are taken"
        ).at("/image")
    if channels > limits.max_channels:
        raise TooManyChannels(
            f"the image would have {channels} channels; at most {limits.max_channels} (max_channels) are taken"
        ).at("/image/channels")
    picture = channels <= 4 and dtype in {"uint8", "uint16"}
    return ImageInfo("png" if picture else "npy", width, height, channels, dtype, alpha=picture and channels % 2 == 0)


IMAGE_FIELDS = {"width": LARGEST_SIDE, "height": LARGEST_SIDE, "channels": LARGEST_SIDE, "dtype": 0}


def _object(body: Buffer, known: set[str]) -> dict[str, object]:
    document = loads(body)
    if not isinstance(document, dict):
        raise MalformedJson("the document must be a JSON object")
    for name in document:
        if name not in known:
            raise AmbiguousRequest(f"the document has an unknown field: {_unknown(name, known)}").at("")
    return document


def _unknown(name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    return f"{shown(name)} is not known here; " + (
        f'did you mean "{near}"?' if near else f"known: {listed(known, 'and')}"
    )
