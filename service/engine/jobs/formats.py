"""The formats of an answer: what each can hold, and which fields of `output` apply to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from service.engine.errors import Fault, InvalidSpec
from service.engine.jobs.job import Answer
from service.engine.spec.spec import Output, Spec
from service.engine.spec.wording import listed
from service.engine.steps.geometry import Shape


class Format(NamedTuple):
    """A file format for results.

    It holds samples of `dtypes` and 1 to `most_channels` channels, with `alpha` or without, and at most `longest_side`
    pixels along a side; None is any number that a limit allows. `quality` is the default; None is for lossless formats.
    """

    name: str
    media_type: str
    dtypes: tuple[str, ...] = ("uint8",)
    most_channels: int | None = 4
    alpha: bool = True
    longest_side: int | None = None
    quality: int | None = None
    lossless: bool = False

    @property
    def one(self) -> str:
        """Return the name with its article."""
        return f"{'an' if self.name[0] in 'AEIOU' else 'a'} {self.name}"


FORMATS: dict[Answer, Format] = {
    "png": Format("PNG", "image/png", ("uint8", "uint16")),
    "jpeg": Format("JPEG", "image/jpeg", most_channels=3, alpha=False, longest_side=65_500, quality=90),
    "webp": Format("WebP", "image/webp", longest_side=16_383, quality=90, lossless=True),
    "avif": Format("AVIF", "image/avif", longest_side=32_768, quality=75, lossless=True),
    "tiff": Format("TIFF", "image/tiff", ("uint8", "uint16", "float32"), most_channels=None),
}
"""JPEG allows 65,535 pixels a side, but libjpeg 65,500; AV1 allows 65,536, but libavif, which browsers and most
programs read with, 32,768."""

MEDIA_TYPES: dict[Answer, str] = {
    **{answer: form.media_type for answer, form in FORMATS.items()},
    "npy": "application/x-npy",
    "json": "application/json",
}
_BY_MEDIA_TYPE: dict[str, Answer] = {form.media_type: answer for answer, form in FORMATS.items()}


def within_json(spec: Spec) -> Answer:
    """Name the image format inside a JSON answer's base64."""
    return _BY_MEDIA_TYPE[spec.output.media_type] if spec.output else "png"


def named(spec: Spec) -> Answer | None:
    """Return the format that the spec itself names, for a plan; None if it names none."""
    given = spec.output is not None and "media_type" in spec.output.model_fields_set
    return within_json(spec) if given else None


def check_settings(spec: Spec, answer: Answer) -> None:
    """Refuse fields of `output` that do not apply to this answer, whatever the image. Raises InvalidSpec."""
    if spec.output is None or answer == "json":
        return
    if answer == "npy":
        raise InvalidSpec('an answer of application/x-npy is the unclipped result: "output" must be left out').at(
            "/output"
        )
    faults = list(_faults(spec.output, FORMATS[answer]))
    if named(spec) not in {None, answer}:
        faults.append(
            Fault(
                "/output/media_type",
                f"output.media_type is {spec.output.media_type}, and the answer that was asked for is"
                f" {FORMATS[answer].media_type}; the field is for answers of application/json",
            )
        )
    if faults:
        raise InvalidSpec.of(faults)


def check_result(spec: Spec, answer: Answer, result: Shape, dtype: str, *, alpha: bool, sheet: Shape) -> None:
    """Refuse a result that the format cannot hold.

    `result` is the result's shape, with its alpha channel if `alpha`; `sheet` is the shape that is written, perhaps a
    montage. Raises InvalidSpec.
    """
    form, output = FORMATS[answer], spec.output or Output()
    place = "/output/{}" if spec.output else ""
    if dtype not in form.dtypes:
        raise InvalidSpec(
            f"the result has samples of {dtype} and {form.one} has {listed(form.dtypes)}: ask for "
            f'"output": {{"dtype": "uint8"}}, or for {_others(dtype)}'
        ).at(place.format("dtype"))
    plain = output.layout == "auto"
    if plain and alpha and not form.alpha and output.background is None:
        raise InvalidSpec(
            f'the result has alpha and {form.one} has none: say what shows through, "output": '
            '{"background": "#ffffff"}, or ask for image/webp, image/avif or image/png'
        ).at(place.format("background"))
    if plain and not _holds(form, result.channels, alpha=alpha):
        most = "1 or 3" if not form.alpha else f"1 to {form.most_channels}"
        raise InvalidSpec(
            f"the result has {result.channels} channels and {form.one} has {most}: ask for "
            '"output": {"layout": "montage"}, or for the raw array with "Accept: application/x-npy"'
        ).at(place.format("layout"))
    if answer == "avif" and output.quality == "lossless" and sheet.channels > 2:
        raise InvalidSpec(
            "an AVIF is lossless here where it is gray; colours are coded as luminance and differences, which rounds"
            " them: ask for image/webp or image/png"
        ).at("/output/quality")
    if form.longest_side is not None and max(sheet.width, sheet.height) > form.longest_side:
        raise InvalidSpec(
            f"the result is {sheet.width}x{sheet.height} and {form.one} has at most {form.longest_side:,} pixels a"
            f" side: ask for {'image/png or ' * (dtype != 'float32')}image/tiff"
        ).at("/output" if spec.output else "")


def _holds(form: Format, channels: int, *, alpha: bool) -> bool:
    if form.most_channels is None:
        return True
    return channels - alpha in {1, 3} if not form.alpha else channels <= form.most_channels


def _others(dtype: str) -> str:
    return listed(form.media_type for form in FORMATS.values() if dtype in form.dtypes)


def _faults(output: Output, form: Format) -> Iterator[Fault]:
    if output.dtype != "auto" and output.dtype not in form.dtypes:
        yield Fault(
            "/output/dtype",
            f"output.dtype is {output.dtype} and {form.one} has {listed(form.dtypes)}; {output.dtype} is for"
            f" {_others(output.dtype)}",
        )
    if output.quality is not None and form.quality is None:
        lossy = listed(other.media_type for other in FORMATS.values() if other.quality is not None)
        yield Fault("/output/quality", f"{form.one} has no quality, it loses nothing; output.quality is for {lossy}")
    elif output.quality == "lossless" and not form.lossless:
        able = listed(other.media_type for other in FORMATS.values() if other.lossless)
        yield Fault("/output/quality", f'{form.one} is never lossless; "lossless" is for {able}')
    if output.background is not None and form.alpha:
        yield Fault("/output/background", f"{form.one} keeps alpha; output.background is for image/jpeg")
