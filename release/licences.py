"""docs/licences.md: what the image contains, under which licences, and the list of licences that are allowed.

Packages and versions come from requirements.lock, their licences from what they say of themselves where they are
installed. Libraries that stand in a package as files are found; those linked into its modules are written down here.
What the base image brings is read within the image, by `deploy/try-image`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import Distribution, distribution
from typing import Final, NamedTuple

from packaging.requirements import Requirement

from release import ROOT

PAGE: Final = ROOT / "docs" / "licences.md"
LOCK: Final = ROOT / "requirements.lock"
REMOVED: Final = {"setuptools"}
"""The Dockerfile takes it out again."""

ALLOWED: Final = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "FTL",
        "GPL-3.0-or-later WITH GCC-exception-3.1",
        "HPND",
        "IJG",
        "ISC",
        "LGPL-2.1-or-later",
        "libpng-2.0",
        "libtiff",
        "MIT",
        "MIT-CMU",
        "MPL-2.0",
        "PSF-2.0",
        "Unicode-3.0",
        "Unicode-DFS-2016",
        "X11",
        "Zlib",
    }
)
"""Those that suit a work under Apache-2.0: permissive ones, and copyleft that ends at a file or a library."""

CLASSIFIERS: Final = {
    "MIT License": "MIT",
    "MIT": "MIT",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "Apache Software License": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What packages say that do not use the names of SPDX."""
CHOSEN: Final = {
    "uvloop": "MIT OR Apache-2.0",
    "numba": "BSD-2-Clause",
}
"""Licences of packages that name only a family: read in their files."""

FILES: Final = {
    "libgomp-*": ("GCC's OpenMP runtime", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    "libgfortran-*": ("GCC's Fortran runtime", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    "libquadmath-*": ("GCC's libquadmath", "LGPL-2.1-or-later"),
    "libscipy_openblas*": ("OpenBLAS", "BSD-3-Clause"),
    "libXau-*": ("libXau", "X11"),
    "libxcb-*": ("libxcb", "X11"),
    "libavif-*": ("libavif with dav1d, libaom and libyuv", "BSD-2-Clause AND BSD-3-Clause"),
    "libbrotli*": ("Brotli", "MIT"),
    "libfreetype-*": ("FreeType", "FTL"),
    "libharfbuzz-*": ("HarfBuzz", "MIT"),
    "libjpeg-*": ("libjpeg-turbo", "IJG AND BSD-3-Clause AND Zlib"),
    "liblcms2-*": ("Little CMS", "MIT"),
    "liblzma-*": ("XZ Utils: liblzma", "0BSD"),
    "libopenjp2-*": ("OpenJPEG", "BSD-2-Clause"),
    "libpng16-*": ("libpng", "libpng-2.0"),
    "libsharpyuv-*": ("libwebp", "BSD-3-Clause"),
    "libwebp*": ("libwebp", "BSD-3-Clause"),
    "libtiff-*": ("libtiff", "libtiff"),
    "libzstd-*": ("Zstandard", "BSD-3-Clause"),
}
"""By the name of a file: the library that it is."""
LINKED: Final = {
    "httptools": (("llhttp", "MIT"),),
    "isal": (("ISA-L", "BSD-3-Clause"),),
    "llvmlite": (("LLVM", "Apache-2.0 WITH LLVM-exception"),),
    "pillow": (("zlib-ng", "Zlib"), ("Raqm", "MIT"), ("a shim for FriBiDi, which is not there", "MIT-CMU")),
    "pyoxipng-ng": (("libdeflate", "MIT"),),
    "pyyaml": (("libyaml", "MIT"),),
    "simplejpeg": (("libjpeg-turbo", "IJG AND BSD-3-Clause AND Zlib"),),
    "uvloop": (("libuv", "MIT"),),
}
"""Libraries within the modules of a package, which no file tells of."""


class Part(NamedTuple):
    """Something that the image contains: its name, its version, its licence as an expression of SPDX."""

    name: str
    version: str
    licence: str
    within: str = ""


def locked() -> Iterator[tuple[str, str]]:
    """Give name and version of each package that the lock has for Linux."""
    linux = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    for line in LOCK.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        entry = Requirement(line.partition("--hash=")[0])
        if entry.name not in REMOVED and (entry.marker is None or entry.marker.evaluate(dict(linux))):
            yield entry.name, str(entry.specifier).removeprefix("==")


def licence_of(package: Distribution) -> str:
    """Give what a package says of itself, in the words of SPDX."""
    said = package.metadata.json
    name = str(said["name"]).lower()
    if name in CHOSEN:
        return CHOSEN[name]
    if "license_expression" in said:
        return str(said["license_expression"])
    classifiers = [str(entry).rpartition(" :: ")[2] for entry in said.get("classifier", ())]
    known = sorted({CLASSIFIERS[entry] for entry in classifiers if entry in CLASSIFIERS})
    word = str(said.get("license", "")).strip()
    if word in ALLOWED:
        return word
    return " AND ".join(known) or CLASSIFIERS.get(word, word.partition("\n")[0] or "nothing said")


def parts() -> list[Part]:
    """List the packages of the lock, each with the libraries within it."""
    found = []
    for name, version in locked():
        package = distribution(name)
        found.append(Part(name, version, licence_of(package)))
        files = [file.name for file in package.files or () if re.search(r"\.libs/[^/]+\.so", str(file))]
        libraries = {library_of(file) for file in files} | set(LINKED.get(name, ())) | set(crates(package))
        found += [Part(library, "", licence, name) for library, licence in sorted(libraries)]
    return found


def crates(package: Distribution) -> Iterator[tuple[str, str]]:
    """Read the SBOM that maturin puts into a wheel: under which licences its crates of Rust are."""
    for file in package.files or ():
        if file.match("*.dist-info/sboms/*.cyclonedx.json"):
            components = json.loads(file.read_text(encoding="utf-8"))["components"]
            for component in components:
                yield "crates of Rust", " ".join(component["licenses"][0]["expression"].split())


def library_of(file: str) -> tuple[str, str]:
    """Give the library, with its licence, that a file within a package is."""
    return next((library for pattern, library in FILES.items() if fnmatch(file, pattern)), (file, "unknown"))


def not_allowed(expression: str) -> list[str]:
    """Give the licences of an expression that are not in the list: of alternatives one is enough."""
    wanting: list[str] = []
    for term in re.split(r" AND (?![^(]*\))", expression):
        choices = term.strip("()").split(" OR ")
        if not any(choice in ALLOWED for choice in choices):
            wanting += choices
    return wanting


def page() -> str:
    """Write docs/licences.md."""
    rows = []
    for part in parts():
        name = f"{part.within}: {part.name}" if part.within else f"**{part.name}**"
        rows.append(f"| {name} | {part.version} | {part.licence} |")
    return "\n".join([HEAD, *rows, FOOT])


HEAD: Final = """# Licences

convserve is licensed under Apache-2.0. This page lists everything else that the image contains. `make docs` makes it
from requirements.lock and from the packages' own metadata, and a test checks every licence against the list of those
that are compatible with Apache-2.0. In the image, the text of each licence is in the folder of its package.

## Packages, and the libraries within them

| package | version | licence |
|---|---|---|"""
FOOT: Final = """
The image contains the wheels as their projects publish them. LGPL and MPL apply to the libraries and files named, which
are unchanged; GCC's exception allows its runtime in programs under any licence.

## The base image

The base image contains Python (PSF-2.0) and packages from Debian's main section. Several of these are under GPL; they
are separate programs and not linked with the service. `/usr/share/doc/*/copyright` in the image has their terms, and
the SBOM attached to the image lists them all:

```sh
docker buildx imagetools inspect IMAGE --format '{{ json .SBOM }}'
```
"""
