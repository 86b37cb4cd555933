"""The document compiles to clients in three languages, and these filter, plan, draw and are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from service.engine.spec.named_kernels import KERNELS
from service.routes.sample import HEIGHT, SAMPLE_BASE64, SAMPLE_PNG, WIDTH
from tests.clients.conftest import HERE, absent, find, run
from tests.live import Live

KERNEL_NAMES = len(KERNELS)


def check(printed: str) -> None:
    """Compare what a client found out with what is so, by the definition of what it asked for."""
    found: dict[str, Any] = json.loads(printed)
    filtered = found["filter"]
    assert (filtered["width"], filtered["height"], filtered["steps"]) == (2 * WIDTH, 2 * HEIGHT, 3)
    assert found["preset"] == "image/png"
    assert found["plan"] == 32 * 16 * 3 * 3
    assert found["figure"] == "<svg"
    assert found["refusal"]["code"] == "invalid_spec"
    assert found["refusal"]["pointer"].startswith("/spec/sigma")
    assert found["kernels"] == KERNEL_NAMES


def test_document_is_valid_openapi(document: Path) -> None:
    run(find("openapi-spec-validator"), document, cwd=document.parent)


def test_typescript(live: Live, document: Path, tmp_path: Path) -> None:
    node = find("node")
    packages = HERE / "typescript" / "node_modules"
    if not packages.is_dir():
        absent("tests/clients/typescript/node_modules (npm ci makes it)")
    for name in ("use.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / "typescript" / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(packages)
    binaries = packages / ".bin"
    run(binaries / "openapi-typescript", document, "-o", "api.d.ts", cwd=tmp_path)
    types = (tmp_path / "api.d.ts").read_text(encoding="utf-8")
    assert types.count("Record<string, never>") == 2, "beside webhooks and $defs, there is an object without fields"
    run(binaries / "tsc", "-p", ".", cwd=tmp_path)
    check(run(node, "use.js", live.url, SAMPLE_BASE64, cwd=tmp_path))


def test_python(live: Live, document: Path, tmp_path: Path) -> None:
    generator = find("openapi-python-client")
    python = Path(generator).parent / "python"
    run(generator, "generate", "--path", document, "--output-path", "generated", "--meta", "none", cwd=tmp_path)
    shutil.copy(HERE / "python" / "use.py", tmp_path)
    modules = [path.relative_to(tmp_path).with_suffix("") for path in (tmp_path / "generated").rglob("*.py")]
    names = [".".join(module.parts).removesuffix(".__init__") for module in modules]
    run(python, "-c", "\n".join(f"import {name}" for name in names), cwd=tmp_path)
    # the generator's own client.py, the same for every document, is not strict
    checked = ("use.py", "generated/api", "generated/models")
    run(python, "-m", "mypy", "--strict", "--follow-imports=silent", *checked, cwd=tmp_path)
    check(run(python, "use.py", live.url, SAMPLE_BASE64, cwd=tmp_path))


def test_go(live: Live, document: Path, tmp_path: Path) -> None:
    generator, go = find("openapi-generator-cli"), find("go")
    find("java")
    folder = tmp_path / "gopath" / "src" / "convserve"
    only = "apis,models,supportingFiles,apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"
    properties = "packageName=convserve,withGoMod=false,hideGenerationTimestamp=true"
    command = ("generate", "-g", "go", "-i", document, "-o", folder, "--global-property", only)
    run(generator, *command, "--additional-properties", properties, cwd=tmp_path)
    use = tmp_path / "gopath" / "src" / "use"
    use.mkdir()
    shutil.copy(HERE / "go" / "use.go", use)
    picture = tmp_path / "sample.png"
    picture.write_bytes(SAMPLE_PNG)
    environment = {
        "GO111MODULE": "off",
        "GOPATH": f"{tmp_path / 'gopath'}:/usr/share/gocode",
        "GOCACHE": str(tmp_path / "cache"),
    }
    run(go, "vet", "convserve", "use", cwd=tmp_path, **environment)
    check(run(go, "run", "use", live.url, picture, cwd=tmp_path, **environment))
