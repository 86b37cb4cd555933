"""The command line: a server, and the same work without one."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, TextIO
from urllib.parse import urlsplit

import httpx
import typer
import typer.core

from service.settings import BadSettings, Settings

# The engine and the server take a second to import; commands that need neither do not wait for them.
# ruff: noqa: PLC0415

WRONG_USAGE = 2
NOT_HERE = 3
HEALTH_SECONDS = 3.0
STANDARD = Path("-")

Answer = Literal["png", "jpeg", "webp", "avif", "tiff", "npy", "json"]
ANSWERS: dict[str, Answer] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".avif": "avif",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".npy": "npy",
    ".json": "json",
}
"""The format that `run` writes, by the target's suffix."""


class Commands(typer.core.TyperGroup):
    """All commands; a system error prints one line and gives exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:
            with suppress(OSError):
                typer.echo(f"{error.filename or 'standard output'}: {error.strerror or error}", err=True)
            if error.filename is None:
                _forget_output()
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=Commands,
    name="convserve",
    help="Convolution as a service: send a picture and a JSON spec, get a PNG and timings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SpecFile = Annotated[Path | None, typer.Option("--spec", help="JSON file with the spec.", exists=True, dir_okay=False)]


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (CONVSERVE_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes any free port (CONVSERVE_PORT, PORT).")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes (CONVSERVE_WORKERS).")] = None,
) -> None:
    """Serve over HTTP until a signal arrives."""
    given = {"host": host, "port": port, "workers": workers}
    with good_settings():
        chosen = for_the_engine(Settings.load(**{name: value for name, value in given.items() if value is not None}))
        chosen.check_servers()
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a server computes nothing; read when NumPy is imported
        if chosen.servers > 1:
            from service import watch

            watch.serve(chosen)
            return
        from service.dispatch.process import start_fork_server

        start_fork_server(compiled=chosen.compile != "off")  # it imports the engine while we import the rest
        from service import server

        server.serve(chosen)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"convserve {version_of('convserve')}")


@app.command()
def health(
    url: Annotated[
        str | None, typer.Option(help="Address of the service; default: host and port as configured.")
    ] = None,
) -> None:
    """Ask a service whether it accepts work; exit status 0 if it does, 1 if not."""
    try:
        answer = httpx.get(health_address(url), timeout=HEALTH_SECONDS, trust_env=False)
        document = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        typer.echo(f"no answer: {error}", err=True)
        raise typer.Exit(1) from None
    if not answer.is_success:
        typer.echo(f"{answer.status_code} {document.get('detail', '')}".rstrip(), err=True)
        raise typer.Exit(1)
    typer.echo(str(document.get("status", "ready")))


@app.command()
def run(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Image or array; - for standard input.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The suffix sets the format: .png, .jpg, .webp, .avif, .tif, .npy or .json. Without a suffix, and on "
            "standard output (-), it is PNG.",
        ),
    ],
    spec: SpecFile = None,
    preset: Annotated[str | None, typer.Option(help="Name of a preset.")] = None,
) -> None:
    """Filter one image in this process, without a server."""
    if (spec is None) == (preset is None):
        raise typer.BadParameter("give either --spec or --preset", param_hint="--spec / --preset")
    answer = answer_for(target)
    image = read(source)
    with good_settings(), refusals():
        chosen = for_the_engine(Settings.load())
        from service import local

        result = local.filter_image(image, read(spec) if spec else preset or "", answer, chosen)
    write(target, result)


@app.command()
def plan(
    spec: Annotated[Path, typer.Option(help="JSON file with the spec.", exists=True, dir_okay=False)],
    image: Annotated[Path | None, typer.Option(help="Image whose shape is used.", exists=True, dir_okay=False)] = None,
    width: Annotated[int | None, typer.Option(help="Width in pixels, instead of an image.")] = None,
    height: Annotated[int | None, typer.Option(help="Height in pixels, instead of an image.")] = None,
    channels: Annotated[int | None, typer.Option(help="Number of channels; default: 3.")] = None,
    dtype: Annotated[
        str | None, typer.Option(help="Type of the samples: uint8 (default), uint16, float32 or float64.")
    ] = None,
) -> None:
    """Print what a spec would do and cost, like POST /v1/plan."""
    fields = {"width": width, "height": height, "channels": channels, "dtype": dtype}
    shape: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    if image and shape:
        raise typer.BadParameter("give either a shape or an image, not both", param_hint="--image")
    if not image and not {"width", "height"} <= shape.keys():
        raise typer.BadParameter("give --width and --height, or an image", param_hint="--width / --height / --image")
    with good_settings(), refusals():
        chosen = for_the_engine(Settings.load())
        from service import local

        document = local.plan_filter(read(spec), read(image) if image else shape, chosen)
    typer.echo(json.dumps(document, indent=2))


@app.command()
def warm(
    progress: Annotated[bool, typer.Option(help="Run at low priority and print progress.")] = False,  # noqa: FBT002
    level: Annotated[str | None, typer.Option(help="Processor level; default: CONVSERVE_CPU.")] = None,
    every_level: Annotated[bool, typer.Option("--every-level", help="All levels of this architecture.")] = False,  # noqa: FBT002
) -> None:
    """Compile the loops and keep them on disk for the next start; the container image is built with this."""
    from service import warm as warming

    with good_settings():
        try:
            if every_level:
                warming.every_level()
            else:
                warming.run(level or Settings.load().cpu, progress=progress)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--level") from None
        except warming.NotHere as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(NOT_HERE) from None


@app.command()
def batch(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A folder, a glob in quotes, or a file that lists paths.")
    ],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="Folder for the results; created if missing.")],
    spec: SpecFile = None,
    preset: Annotated[str | None, typer.Option(help="Name of a preset.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler (CONVSERVE_SCHEDULER).")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes (CONVSERVE_WORKERS).")] = None,
    form: Annotated[
        Literal["png", "jpeg", "webp", "avif", "tiff", "npy"], typer.Option("--format", help="Format of the results.")
    ] = "png",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; write nothing.")] = False,  # noqa: FBT002
) -> None:
    """Filter many images; skip results that exist already. Exit status 1 if any image failed."""
    if (spec is None) == (preset is None):
        raise typer.BadParameter("give either --spec or --preset", param_hint="--spec / --preset")
    given = {"scheduler": scheduler, "workers": workers}
    with good_settings(), refusals():
        chosen = for_the_engine(Settings.load(**{name: value for name, value in given.items() if value is not None}))
        from service.batch import command
        from service.batch.sources import BadSources

        try:
            status = command.batch(source, target, read(spec) if spec else preset or "", form, chosen, dry_run=dry_run)
        except BadSources as error:
            raise typer.BadParameter(str(error), param_hint="SOURCE") from None
    if status:
        raise typer.Exit(status)


@app.command()
def settings() -> None:
    """Print every setting with its value and where the value comes from."""
    with good_settings():
        rows = Settings.load().rows()
    names, values = max(len(row.name) for row in rows), max(len(row.value) for row in rows)
    for row in rows:
        typer.echo(f"{row.name:<{names}}  {row.value:<{values}}  {row.source}")


def for_the_engine(chosen: Settings) -> Settings:
    """Choose the processor level before anything imports NumPy; raises BadSettings."""
    chosen.use_cpu()
    return chosen


def health_address(url: str | None) -> str:
    """Return the address to ask: that of the service at `url`, or of the service configured here."""
    if url is None:
        with good_settings():
            here = Settings.load()
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(here.host, here.host)  # noqa: S104
        url = f"http://{f'[{host}]' if ':' in host else host}:{here.port}{here.root_path}"
    probe = urlsplit(url).path.endswith(("/readyz", "/livez"))
    return url if probe else f"{url.rstrip('/')}/readyz"


def answer_for(target: Path) -> Answer:
    """Return the form that a target's suffix names; PNG if it has none."""
    answer = ANSWERS.get(target.suffix.lower()) if target.suffix else "png"
    if answer is None:
        raise typer.BadParameter(
            f'{target}: "{target.suffix}" files cannot be written; use one of {", ".join(ANSWERS)}', param_hint="OUT"
        )
    return answer


def read(path: Path) -> bytes:
    """Read a file, or standard input; raises OSError if it exists but cannot be read."""
    if path == STANDARD:
        return _standard(sys.stdin, "standard input").read()
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None


def write(path: Path, data: bytes | bytearray | memoryview) -> None:
    """Write a file, or standard output; raises OSError. An incompletely written file is removed."""
    if path == STANDARD:
        output = _standard(sys.stdout, "standard output")
        output.write(data)
        output.flush()
        return
    made = not os.path.lexists(path)
    try:
        path.write_bytes(data)
    except OSError as error:
        if made:
            path.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None  # an error of writing does not name the file


def _standard(stream: TextIO | None, name: str) -> BinaryIO:
    if stream is None:  # closed by whoever started this process
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), name)
    return stream.buffer


def _forget_output() -> None:
    """Discard what could not be written: at exit Python would try again and report it at length."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextmanager
def good_settings() -> Iterator[None]:
    """Name every faulty setting, and exit as for wrong usage."""
    try:
        yield
    except BadSettings as error:
        for fault in error.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(WRONG_USAGE) from None


@contextmanager
def refusals() -> Iterator[None]:
    """Print a refusal in the service's words: code, detail, and faulty places."""
    from service.engine.errors import EngineError
    from service.routes.errors import RouteError
    from service.routes.problem_table import kind_of

    # As in a worker: the engine shares out the cores itself. NumPy reads this when imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        yield
    except (EngineError, RouteError) as error:
        typer.echo(f"{kind_of(error).code}: {error.detail}", err=True)
        for fault in error.faults:
            typer.echo(f"  {fault.pointer or '/'}: {fault.detail}", err=True)
        raise typer.Exit(1) from None
