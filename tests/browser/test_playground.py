from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

import service
from service.engine.jobs.formats import FORMATS
from service.engine.spec.spec import json_schema
from service.routes.operations import BY_NAME
from service.routes.sample import HEIGHT, SAMPLE_PNG, WIDTH
from tests.browser import playground
from tests.browser.conftest import Visit, Watch
from tests.browser.playground import PHOTO, field, number, wait_for_another, wait_for_result, wait_for_spec
from tests.live import Live, serving

PAGE = Path(service.__file__).parent / "playground"


def test_it_shows_a_result_with_timings_plan_figure_and_code(visit: Visit) -> None:
    page = visit()
    wait_for_result(page)
    expect(page.locator("#picture-facts")).to_contain_text("451 × 300 × 3")
    expect(page.locator("#timings li")).to_contain_text(["waiting", "reading", "conv: ", "writing", "network"])
    expect(page.locator("#plan")).to_contain_text("451 × 300 × 3 → 451 × 300 × 3")
    expect(page.locator("#plan [data-mark=chosen]")).to_have_count(1)
    expect(page.locator("#plan [data-mark=beaten]").first).to_be_visible()
    expect(page.locator("#figure img")).to_be_visible()
    assert page.locator("#figure img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    expect(page.locator("#code pre")).to_contain_text("curl ")


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_dropped_or_pasted_is_filtered(visit: Visit, event: str) -> None:
    page = visit()
    former = wait_for_result(page)
    playground.give(page, event, "disk.png", SAMPLE_PNG)
    wait_for_another(page, former)
    expect(page.locator("#picture-name")).to_have_text("disk.png")
    expect(page.locator("#picture-facts")).to_contain_text(f"{WIDTH} × {HEIGHT} × 3")
    expect(page.locator("#result-facts")).to_contain_text(f"{WIDTH} × {HEIGHT}")


def test_a_picture_is_picked_and_the_result_downloaded(visit: Visit) -> None:
    page = visit(accept_downloads=True)
    former = wait_for_result(page)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a picture").click()
    chooser.value.set_files({"name": "disk.png", "mimeType": "image/png", "buffer": SAMPLE_PNG})
    wait_for_another(page, former)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download PNG").click()
    assert download.value.suggested_filename == "disk-filtered.png"
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_a_format_that_the_browser_does_not_know_is_shown_by_the_service(visit: Visit) -> None:
    page = visit()
    former = wait_for_result(page)
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }".ljust(117) + "\n"
    npy = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(range(0, 240, 40))
    playground.give(page, "drop", "array.npy", npy, "application/octet-stream")
    wait_for_another(page, former)
    expect(page.locator("#picture-facts")).to_contain_text("3 × 2 × 1")


def test_samples_can_be_chosen(visit: Visit) -> None:
    page = visit()
    former = wait_for_result(page)
    for sample in ("Zone plate", "Points", "Stripes"):
        page.locator("#sample").select_option(sample)
        former = wait_for_another(page, former)
    expect(page.locator("#picture-facts")).to_contain_text("256 × 256")


@pytest.mark.parametrize("op", BY_NAME)
def test_each_operation_runs_as_its_form_begins(visit: Visit, op: str) -> None:
    page = visit()
    former = wait_for_result(page)
    page.locator("#steps select.operation").select_option("grayscale" if op == "conv" else op)
    former = wait_for_another(page, former)
    if op == "conv":
        page.locator("#steps select.operation").select_option(op)
        wait_for_another(page, former)
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#plan h3")).to_have_text(f"1. {op.replace('_', ' ')}")
    shown = page.locator("#steps [data-field]").evaluate_all("nodes => nodes.map((node) => node.dataset.field)")
    assert BY_NAME[op].model_fields.keys() - {"op"} <= set(shown)


def test_a_choice_brings_the_fields_that_belong_to_it(visit: Visit) -> None:
    page = visit()
    former = wait_for_result(page)
    page.locator("#steps select.operation").select_option("blur")
    former = wait_for_another(page, former)
    expect(field(page, "size")).to_be_hidden()
    field(page, "method").locator("select").select_option("box")
    wait_for_another(page, former)
    expect(field(page, "sigma")).to_be_hidden()
    expect(field(page, "size")).to_be_visible()
    expect(page.locator("#problem")).to_be_hidden()


def test_a_kernel_is_edited_by_hand(visit: Visit) -> None:
    page = visit()
    former = wait_for_result(page)
    name = page.get_by_label("kernel: named kernel")
    name.select_option("sobel_x")
    former = wait_for_another(page, former)
    expect(page.locator("[data-fact=sum]")).to_have_text("0")
    expect(page.locator("[data-fact=rank]")).to_have_text("1")
    expect(page.locator(".about-kernel .split")).to_have_text("[1 2 1]ᵀ × [-1 0 1]")
    page.get_by_label("kernel, row 1, column 1").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.type("1/4")
    wait_for_another(page, former)
    expect(name).to_have_value("own numbers")
    expect(page.locator("[data-fact=sum]")).to_have_text("0.25")
    expect(page.locator("[data-fact=rank]")).to_have_text("2")
    wanted = {"op": "conv", "kernel": [[-1, 0, 1], [-2, 0.25, 2], [-1, 0, 1]]}
    wait_for_spec(page, wanted | {"padding": "same", "padding_mode": "reflect"})
    page.get_by_role("button", name="kernel: transpose").click()
    expect(page.get_by_label("kernel, row 1, column 2")).to_have_value("-2")
    page.get_by_label("kernel: columns").fill("5")
    page.get_by_label("kernel: columns").press("Enter")
    expect(page.get_by_label("kernel, row 2, column 3")).to_have_value("0.25")


def test_a_named_kernel_has_its_parameters(visit: Visit) -> None:
    page = visit()
    former = wait_for_result(page)
    page.get_by_label("kernel: named kernel").select_option("gaussian")
    former = wait_for_another(page, former)
    number(page, "sigma").fill("0.5")
    wait_for_another(page, former)
    expect(page.locator(".grid .cell")).to_have_count(25)
    expect(page.locator("[data-fact=sum]")).to_have_text("1")


def test_an_error_is_shown_at_its_field(visit: Visit, watch: Watch) -> None:
    watch.expect("422")
    page = visit()
    former = wait_for_result(page)
    stride = number(page, "stride")
    stride.fill("0")
    expect(stride).to_have_attribute("aria-invalid", "true")
    described = stride.get_attribute("aria-describedby") or ""
    message = page.locator(f"#{described.split()[0]}")
    expect(message).to_contain_text("stride must be an integer from 1")
    expect(message).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("stride must be an integer from 1")
    expect(page.locator(".chip.stale")).to_be_visible()
    page.get_by_role("button", name="Go to stride in step 1").click()
    expect(stride).to_be_focused()
    assert not playground.faults(page)
    stride.fill("2")
    wait_for_another(page, former)
    expect(page.get_by_role("alert")).to_be_hidden()
    assert stride.get_attribute("aria-invalid") is None
    expect(page.locator("#result-facts")).to_contain_text("226 × 150")


def test_an_error_in_another_step_leads_there(visit: Visit, watch: Watch) -> None:
    watch.expect("422")
    faulty = {"steps": [{"op": "conv", "kernel": [[1, 2], [3, "x"]]}, {"op": "blur", "sigma": 1}]}
    page = visit()
    wait_for_result(page)
    page.evaluate("spec => (location.hash = '#s=' + btoa(JSON.stringify(spec)))", faulty)
    page.get_by_role("button", name="Step 1: remove").wait_for()
    page.locator(".step-head").nth(1).click()
    expect(page.locator(".step").first.locator(".flag")).to_be_visible()
    page.get_by_role("button", name="Go to kernel in step 1").click()
    expect(page.locator(".step").first).to_have_attribute("data-open", "true")
    expect(field(page, "kernel").locator(".field-error")).to_contain_text("must be a number")


def test_from_a_photo_to_a_shared_link_with_a_dilated_blur(visit: Visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    former = wait_for_result(page)
    page.locator("#file").set_input_files(PHOTO)
    former = wait_for_another(page, former)
    page.get_by_role("button", name="dilated blur").click()
    former = wait_for_another(page, former)
    slider = page.get_by_label("dilation, slider")
    slider.focus()
    slider.press("ArrowRight")
    wait_for_another(page, former)
    page.get_by_role("button", name="Share").click()
    expect(page.locator("#toast")).to_have_text("Link copied")
    link = urlsplit(page.evaluate("navigator.clipboard.readText()"))
    other = visit(f"{link.path}#{link.fragment}")
    wait_for_result(other)
    expect(number(other, "dilation")).to_have_value("3")
    assert playground.spec(other)["dilation"] == 3
    assert playground.result(other) == playground.result(page)


def test_a_damaged_link_is_told_and_forgotten(visit: Visit) -> None:
    page = visit("/#s=%7B")
    wait_for_result(page)
    expect(page.locator("#toast")).to_contain_text("damaged")


def test_steps_are_added_ordered_and_removed_by_keyboard(visit: Visit) -> None:
    page = visit()
    former = wait_for_result(page)
    page.get_by_role("button", name="Add a step").press("Enter")
    page.locator(".palette").get_by_role("button", name=re.compile("^grayscale")).press("Enter")
    former = wait_for_another(page, former)
    names = page.locator(".step-name")
    expect(names).to_have_text(["conv", "grayscale"])
    expect(page.locator(".step-head").nth(1)).to_be_focused()
    page.get_by_role("button", name="Step 2: move up").press("Enter")
    former = wait_for_another(page, former)
    expect(names).to_have_text(["grayscale", "conv"])
    expect(page.locator("#plan h3")).to_have_text(["1. grayscale", "2. conv"])
    page.get_by_role("button", name="Step 2: remove").press("Enter")
    wait_for_another(page, former)
    expect(names).to_have_text(["grayscale"])
    expect(page.locator(".step-head").first).to_be_focused()
    page.get_by_role("button", name="Step 1: remove").press("Enter")
    expect(page.locator("#steps")).to_contain_text("No steps")


def test_older_requests_are_cancelled(visit: Visit) -> None:
    page = visit()
    former = wait_for_result(page)
    page.locator("#steps select.operation").select_option("blur")
    former = wait_for_another(page, former)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    cancelled: list[str] = []
    page.context.route("**/v1/filter", hold)
    page.on("requestfailed", lambda request: cancelled.append(request.failure or ""))
    for count, sigma in enumerate(["3", "4", "5"], 1):
        with page.expect_request("**/v1/filter"):
            number(page, "sigma").fill(sigma)
        page.wait_for_timeout(100)
        assert len(held) == count
    assert cancelled == ["net::ERR_ABORTED"] * 2
    held[-1].continue_()
    wait_for_another(page, former)
    assert b'"sigma":5' in (held[-1].request.post_data_buffer or b"")


def test_difference_view_and_zoom(visit: Visit) -> None:
    page = visit()
    wait_for_result(page)
    page.get_by_role("radio", name="Difference").check()
    expect(page.locator("#difference-words")).to_contain_text("mean ")
    page.get_by_role("radio", name="Before").check()
    page.get_by_role("button", name="1:1").click()
    expect(page.locator("#zoom-level")).to_have_text("100 %")
    page.locator("#stage").press("+")
    expect(page.locator("#zoom-level")).to_have_text("150 %")
    page.locator("#stage").hover()
    expect(page.locator("#pixel")).to_have_text(re.compile(r"\(\d+, \d+\)  \d+ \d+ \d+ → \d+ \d+ \d+"))
    page.locator("#stage").press("0")
    expect(page.locator("#zoom-level")).not_to_have_text("150 %")


def test_all_modules_are_loaded_at_once(visit: Visit) -> None:
    page = visit()
    wait_for_result(page)
    hinted = page.locator("link[rel=modulepreload], script[src]").evaluate_all(
        "nodes => nodes.map((node) => (node.href || node.src).split('/').at(-1))"
    )
    assert sorted(hinted) == sorted(path.name for path in PAGE.glob("*.js"))


def test_the_line_between_before_and_after_moves(visit: Visit) -> None:
    page = visit()
    wait_for_result(page)
    box = page.locator("#stage").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, middle)
    page.mouse.up()
    assert 10 < int(page.locator("#split").input_value()) < 40


ELSEWHERE = {"quality", "background", "media_type"}
"""Fields of the output that stand beside the download."""


def test_what_stands_beside_the_steps_is_that_of_the_service(visit: Visit) -> None:
    page = visit()
    own = page.evaluate("import('./playground/frame.js').then(({ FRAME, OUTPUT }) => ({ FRAME, OUTPUT }))")
    definitions = json_schema()["$defs"]
    for here, there in (("FRAME", definitions["Chain"]), ("OUTPUT", definitions["Output"])):
        known = {
            name: field for name, field in there["properties"].items() if name not in {"steps", "output", *ELSEWHERE}
        }
        assert {name: (field["enum"], field["default"]) for name, field in own[here].items()} == {
            name: (field["enum"], field["default"]) for name, field in known.items()
        }


def test_forms_of_the_answer_are_those_of_the_service(visit: Visit) -> None:
    forms = visit().evaluate("import('./playground/answer-form.js').then(({ FORMS }) => FORMS)")
    wanted = {form.media_type: (form.name, form.quality) for form in FORMATS.values()}
    assert {type_: (form["name"], form.get("quality")) for type_, form in forms.items()} == wanted
    assert list(forms) == json_schema()["$defs"]["Output"]["properties"]["media_type"]["enum"]


@pytest.mark.parametrize(
    ("name", "suffix", "begin"),
    [
        ("JPEG", "jpg", b"\xff\xd8\xff"),
        ("WebP", "webp", b"RIFF"),
        ("AVIF", "avif", b"\0\0\0"),
        ("TIFF", "tiff", b"II*\0"),
    ],
)
def test_the_result_is_downloaded_in_another_form(visit: Visit, name: str, suffix: str, begin: bytes) -> None:
    page = visit(accept_downloads=True)
    former = wait_for_result(page)
    page.locator("#form").select_option(label=name)
    wait_for_another(page, former)
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download {name}").click()
    assert download.value.suggested_filename == f"cat-filtered.{suffix}"
    assert Path(download.value.path()).read_bytes().startswith(begin)
    expect(page.locator("#result-facts")).to_contain_text("451 × 300")


def test_quality_changes_the_size(visit: Visit) -> None:
    page = visit(accept_downloads=True)
    former = wait_for_result(page)
    page.locator("#form").select_option(label="JPEG")
    former = wait_for_another(page, former)
    best = len(playground.result(page, "JPEG"))
    page.get_by_label("quality").fill("20")
    former = wait_for_another(page, former)
    assert len(playground.result(page, "JPEG")) < best / 2
    page.locator("#form").select_option(label="PNG")
    wait_for_another(page, former)
    assert playground.result(page).startswith(b"\x89PNG")


def test_output_is_set(visit: Visit) -> None:
    page = visit()
    former = wait_for_result(page)
    page.get_by_text("Result: range").click()
    field(page, "range").locator("select").select_option("abs")
    former = wait_for_another(page, former)
    field(page, "color_space").locator("select").select_option("linear")
    wait_for_another(page, former)
    emboss = {"op": "conv", "kernel": "emboss", "padding": "same", "padding_mode": "reflect"}
    wait_for_spec(page, {"steps": [emboss], "output": {"range": "abs"}, "color_space": "linear"})


def test_code_does_the_same(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    wait_for_result(page)
    shown = playground.result(page)
    (tmp_path / "cat.jpg").write_bytes(PHOTO.read_bytes())
    code = page.locator("#code pre").inner_text()
    subprocess.run(["sh", "-ec", code], cwd=tmp_path, check=True, timeout=60, capture_output=True)
    assert (tmp_path / "result.png").read_bytes() == shown
    (tmp_path / "result.png").unlink()
    page.get_by_role("tab", name="curl").press("ArrowRight")
    expect(page.get_by_role("tab", name="Python")).to_be_focused()
    code = page.locator("#code pre").inner_text()
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "result.png").read_bytes() == shown
    page.get_by_role("tab", name="JavaScript").click()
    code = page.locator("#code pre").inner_text()
    picture = "const picture = await (await fetch('playground/sample.jpg')).blob();"
    size = page.evaluate(f"async () => {{ {picture}\n{code}\nreturn png.size; }}")
    assert size == len(shown)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_system_unless_told(visit: Visit, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    wait_for_result(page)
    assert is_dark(page) == (scheme == "dark")
    page.get_by_role("button", name="Dark theme").click()
    assert is_dark(page) != (scheme == "dark")
    page.reload()
    assert is_dark(page) != (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_fault(visit: Visit, width: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce")
    wait_for_result(page)
    page.get_by_role("button", name="Add a step").click()
    for summary in page.locator("summary").all():
        summary.click()
    assert not playground.faults(page)


def test_axe_finds_no_fault_in_any_form(visit: Visit) -> None:
    page = visit()
    former = wait_for_result(page)
    for op in ("separable", "depthwise_separable", "transposed", "deconvolve", "pool"):
        page.locator("#steps select.operation").select_option(op)
        former = wait_for_another(page, former)
        assert not playground.faults(page, "#steps"), op


def test_phone_needs_no_sideways_scrolling(visit: Visit) -> None:
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    wait_for_result(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Add a step").tap()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("#stage")).to_be_in_viewport()


def test_figure_stands_still_where_motion_is_not_wanted(visit: Visit) -> None:
    asked: list[str] = []
    page = visit(reduced_motion="reduce")
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.locator("#figure img")).to_be_visible()
    assert [url for url in asked if "animate=false" in url]
    assert not [url for url in asked if "animate=true" in url]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Give a service with keys, behind a prefix."""
    folder = tmp_path_factory.mktemp("guarded")
    with serving(folder, workers=1, api_keys="open-sesame", root_path="/images") as server:
        yield server


def test_key_is_asked_for_and_kept_in_the_tab(visit: Visit, watch: Watch, guarded: Live) -> None:
    watch.host = urlsplit(guarded.url).netloc
    watch.expect("401")
    page = visit(url=guarded.url)
    key = page.get_by_role("textbox", name="API key")
    key.fill("wrong")
    key.press("Enter")
    expect(page.locator("#key-wrong")).to_be_visible()
    assert not playground.faults(page)
    key.fill("open-sesame")
    key.press("Enter")
    wait_for_result(page)
    assert page.evaluate("localStorage.length") == 0
    assert "open-sesame" not in page.locator("#code pre").inner_text()
    assert "/images/v1/filter" in page.locator("#code pre").inner_text()
    page.reload()
    wait_for_result(page)


def is_dark(page: Page) -> bool:
    """Tell whether the page's ground is darker than its ink."""
    script = """() => {
      const light = (color) => color.match(/[\\d.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
      const style = getComputedStyle(document.body);
      return light(style.backgroundColor) < light(style.color);
    }"""
    return bool(page.evaluate(script))
