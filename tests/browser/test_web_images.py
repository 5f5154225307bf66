"""Pages of models of images in Chromium and Firefox: files, the camera, boxes; against the models in Python.

Skipped, and says so, where the browser, Node or npm is missing, or npm cannot download TensorFlow.js.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image, ImageOps
from support import browser
from support.accessibility import CHECKS
from support.documents import detector
from support.drawings import HOSTILE
from support.web_pages import EXAMPLES, percent, save_image_page

import sensenet
from sensenet.explanation import occlusion_map

pytestmark = pytest.mark.slow

SHAPES, DIGITS = (EXAMPLES / f"{name}.json.gz" for name in ("shapes", "digits"))
READY = "document.body.dataset.ready"
ANSWERED = "!['–', ''].includes(document.querySelector('#label').textContent)"
TEXT = "document.querySelector({!r}).textContent"
TEXTS = "[...document.querySelectorAll({!r})].map((each) => each.textContent)"
DESCRIPTION = "document.querySelector('#canvas').getAttribute('aria-label')"


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """The URL of the page of the detector, which is one file."""
    return save_image_page(SHAPES, tmp_path_factory.mktemp("shapes") / "shapes.html").as_uri()


def choose(path):
    """Steps that choose an image, and wait until its answer is there."""
    return [
        ("until", READY),
        ("choose", "#file", str(path)),
        ("until", f"({DESCRIPTION}).startsWith({path.name!r})"),
    ]


def shapes_in_many_forms(directory):
    """Paths of images of many shapes and formats, each with the pixels that a page sees."""
    whole = Image.open(EXAMPLES / "shapes.png").convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    for name, made, options in (
        ("wide.png", whole.resize((400, 150)), {}),
        ("part.png", whole.crop((0, 100, 90, 256)), {}),
        ("palette.png", whole.convert("P"), {}),
        ("bits.png", whole.convert("1"), {}),
        ("gray.png", Image.fromarray(np.asarray(whole.convert("L")).astype(np.uint16) * 257), {}),
        ("ink.jpg", whole.convert("CMYK"), {"quality": 95}),
        ("turned.jpg", whole, {"quality": 95, "exif": turned}),
        ("moving.gif", whole, {"save_all": True, "append_images": [Image.new("RGB", whole.size)]}),
        ("web.webp", whole, {"lossless": True}),
        ("plain.bmp", whole, {}),
    ):
        made.save(directory / name, **options)
        yield directory / name, ImageOps.exif_transpose(Image.open(directory / name))
    yield EXAMPLES / "shapes.png", whole


def test_boxes_are_those_of_python(any_browser, shapes, tmp_path):
    images = dict(shapes_in_many_forms(tmp_path))
    steps = [
        step
        for path in images
        for step in (*choose(path), ("ask", DESCRIPTION), ("ask", TEXTS.format("#probabilities .value")))
    ]
    answers = [answer for answer in browser.look(any_browser, shapes, steps) if answer is not None]
    detect = sensenet.create_model(SHAPES)
    for (path, pixels), description, scores in zip(images.items(), answers[::2], answers[1::2], strict=True):
        same = str(path) if path.name != "turned.jpg" else np.asarray(pixels)
        found = detect(same)
        boxes = [f"{each['label']}: {', '.join(map(str, each['box']))}" for each in found]
        assert description == "; ".join([path.name, *boxes])
        assert scores == [percent(each["score"]) for each in found]
    assert len(detect(str(EXAMPLES / "shapes.png"))) == 3


def test_boxes_are_in_pixels_of_large_images(chromium, shapes, tmp_path):
    """The page makes the image smaller, and describes boxes in pixels of the image itself."""
    path = tmp_path / "large.jpg"
    Image.open(EXAMPLES / "shapes.png").convert("RGB").resize((8000, 6000)).save(path)
    (*_, description) = browser.look(chromium, shapes, [*choose(path), ("ask", DESCRIPTION)])
    found = sensenet.create_model(SHAPES)(str(path))
    told = [each.split(": ") for each in description.split("; ")[1:]]
    assert [label for label, _ in told] == [each["label"] for each in found]
    boxes = [np.array(numbers.split(", "), int) for _, numbers in told]
    np.testing.assert_allclose(boxes, [each["box"] for each in found], atol=150)


def test_classes_are_those_of_python(any_browser, tmp_path):
    page = save_image_page(DIGITS, tmp_path / "digits.html").as_uri()
    random = np.random.default_rng(0)
    paths = []
    for number, (height, width) in enumerate([(8, 8), (30, 20), (100, 160)]):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(paths[-1])
    steps = [
        step
        for path in paths
        for step in (*choose(path), ("ask", TEXT.format("#label")), ("ask", TEXTS.format(".value")))
    ]
    answers = [answer for answer in browser.look(any_browser, page, steps) if answer is not None]
    model = sensenet.create_model(DIGITS)
    for path, label, texts in zip(paths, answers[::2], answers[1::2], strict=True):
        (shares,) = model([str(path)])
        assert label == model.classes[shares.argmax()]
        assert texts == [percent(float(share)) for share in shares]


def test_the_camera_starts_and_stops(any_browser, shapes):
    tracks = "(document.querySelector('#video').srcObject?.getTracks() ?? [])"
    states = f"{tracks}.map((track) => track.readyState)"
    steps = [
        ("until", READY),
        ("click", "#camera"),
        ("until", ANSWERED),
        ("ask", TEXT.format("#camera")),
        ("ask", states),
        ("click", "#camera"),
        ("ask", TEXT.format("#camera")),
        ("ask", states),
        ("click", "#camera"),
        ("until", f"{tracks}.length"),
        ("ask", f"window.track = {tracks}[0], dispatchEvent(new Event('pagehide'))"),
        ("ask", "track.readyState"),
    ]
    answers = [answer for answer in browser.look(any_browser, shapes, steps) if answer is not None]
    assert answers == ["Stop the camera", ["live"], "Use the camera", [], True, "ended"]


def test_what_is_no_image_is_refused(chromium, shapes, tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("not an image")
    steps = [
        ("until", READY),
        ("choose", "#file", str(path)),
        ("wait", "#refusal"),
        ("ask", TEXT.format("#refusal")),
    ]
    (*_, told) = browser.look(chromium, shapes, steps)
    assert re.fullmatch(
        r"notes\.png cannot be read as an image: .*[^.]\. Browsers read JPEG, PNG, .*\.", told
    )


def test_a_folder_on_a_server(chromium, tmp_path):
    save_image_page(SHAPES, tmp_path / "site", single_file=False)
    with browser.serve(tmp_path / "site") as address:
        steps = [*choose(EXAMPLES / "shapes.png"), ("ask", TEXT.format("#label"))]
        seen = browser.look_at_all(chromium, f"{address}/index.html", steps)
    assert seen["answers"][-1] == "3 objects"
    assert all(each.startswith(f"{address}/") for each in seen["complaints"])


def test_a_page_whose_runtime_is_elsewhere(any_browser, tmp_path):
    """On another server, and next to the page; files that were changed are refused, and the page says so."""
    save_image_page(SHAPES, tmp_path / "whole", single_file=False)
    steps = [*choose(EXAMPLES / "shapes.png"), ("ask", TEXTS.format("#probabilities .value"))]
    failed = [("wait", "#failure"), ("ask", TEXT.format("#failure")), ("ask", "!document.body.dataset.ready")]
    with browser.serve(tmp_path) as lib, browser.serve(tmp_path) as address:
        page = save_image_page(SHAPES, tmp_path / "page.html", runtime_url=f"{lib}/whole/").as_uri()
        save_image_page(SHAPES, tmp_path / "part", single_file=False, runtime_url="../whole")
        assert not list((tmp_path / "part").glob("tf*"))
        whole, *others = (
            browser.look_at_all(any_browser, each, steps)["answers"][-1]
            for each in (f"{address}/whole/index.html", page, f"{address}/part/index.html")
        )
        assert len(whole) == 3
        assert others == [whole, whole]
        for name in ("tfjs-backend-wasm-simd.wasm", "tf-converter.es2017.min.js"):
            changed = tmp_path / "whole" / name
            content = changed.read_bytes()
            changed.write_bytes(content + b"\n")
            seen = browser.look_at_all(any_browser, page, failed)["answers"]
            assert seen[1].startswith(
                f"This page cannot run its model here: TensorFlow.js was not loaded from {lib}/whole/: "
            )
            assert seen[2] is True
            changed.write_bytes(content)


def test_pages_of_images_are_accessible(chromium, tmp_path):
    document = detector()
    count = len(document["output_exposition"]["values"])
    document["output_exposition"]["values"] = [f"{HOSTILE} {number}" for number in range(count)]
    page = save_image_page(document, tmp_path / "page.html", bounding_box_threshold=0.01).as_uri()
    for width, scheme in ((1280, "light"), (360, "dark")):
        steps = [*choose(EXAMPLES / "shapes.png"), ("ask", "typeof window.hacked")]
        steps += [("ask", check) for check in CHECKS]
        hacked, *found = [
            answer
            for answer in browser.look(chromium, page, steps, width=width, scheme=scheme)
            if answer is not None
        ]
        assert hacked == "undefined"
        assert [answer for answer in found if answer != []] == []


NUMBERS = """
  [...document.querySelectorAll('#drops tbody tr')].map((row) =>
    [...row.querySelectorAll('td')].map((cell) => cell.textContent.replace('−', '-').replaceAll(',', '')))
"""
EXPLAINED = "document.querySelector('#map').checkVisibility()"
SAME = "document.querySelector('#canvas').toDataURL() === window.boxes"


def explain(path):
    """Steps that show the map of an image."""
    return [*choose(path), ("click", "#explain"), ("until", EXPLAINED)]


def gray_images(directory):
    """Paths of images of several shapes, without colors."""
    random = np.random.default_rng(4)
    for height, width in ((8, 8), (31, 20), (3, 40), (1, 1)):
        path = directory / f"{height}-{width}.png"
        Image.fromarray(random.integers(0, 256, (height, width), np.uint8)).convert("RGB").save(path)
        yield path


def test_occlusion_maps_are_those_of_python(any_browser, tmp_path):
    page = save_image_page(DIGITS, tmp_path / "digits.html").as_uri()
    paths = [*gray_images(tmp_path)]
    steps = [step for path in paths for step in (*explain(path), ("ask", NUMBERS))]
    answers = [answer for answer in browser.look(any_browser, page, steps) if answer is not None]
    model = sensenet.create_model(DIGITS)
    greatest = []
    for path, numbers in zip(paths, answers, strict=True):
        found = occlusion_map(model, str(path))
        np.testing.assert_allclose(np.array(numbers, float), 100 * found.drops, rtol=2e-3, atol=2e-3)
        greatest.append(np.abs(found.drops).max())
    assert sorted(greatest)[-2] > 0.005


def test_occlusion_maps_of_detectors(chromium, shapes, tmp_path):
    path = tmp_path / "part.png"
    Image.open(EXAMPLES / "shapes.png").convert("RGB").crop((0, 100, 90, 256)).save(path)
    steps = [*explain(path), ("ask", NUMBERS), ("ask", TEXT.format("#matters"))]
    *_, numbers, told = browser.look(chromium, shapes, steps)
    found = occlusion_map(sensenet.create_model(SHAPES), str(path))
    np.testing.assert_allclose(np.array(numbers, float), 100 * found.drops, atol=0.02)
    most = f"{100 * found.drops.max():.1f} pts"
    assert told.startswith(f"The score of {found.output} falls most, by {most}, if a part at the ")


def test_a_map_is_hidden_canceled_and_gone_with_the_next_image(chromium, shapes):
    image = EXAMPLES / "shapes.png"
    steps = [
        *choose(image),
        ("ask", "window.boxes = document.querySelector('#canvas').toDataURL(), 0"),
        ("ask", "document.querySelector('#explain').click(), document.querySelector('#explain').click(), 1"),
        ("click", "#cancel"),
        ("until", "document.querySelector('#explain').checkVisibility()"),
        ("ask", EXPLAINED),
        ("click", "#explain"),
        ("until", EXPLAINED),
        ("ask", SAME),
        ("ask", "document.activeElement.id"),
        ("ask", TEXT.format("#explain")),
        ("click", "#explain"),
        ("ask", f"[{EXPLAINED}, {SAME}, {TEXT.format('#explain')}]"),
        ("click", "#explain"),
        ("ask", f"[{EXPLAINED}, {SAME}]"),
        ("choose", "#file", str(image)),
        ("until", f"!{EXPLAINED}"),
        ("ask", SAME),
        ("click", "#camera"),
        ("until", f"{DESCRIPTION}.startsWith('The camera')"),
        ("ask", "document.querySelector('#explain').click(), 1"),
        ("until", f"{TEXT.format('#camera')} === 'Use the camera'"),
    ]
    answers = [answer for answer in browser.look(chromium, shapes, steps) if answer is not None]
    assert answers == [
        0,
        1,
        False,
        False,
        "explain",
        "Hide the map",
        [False, True, "Show what matters"],
        [True, False],
        True,
        1,
    ]


def test_a_map_that_cannot_be_computed(chromium, shapes):
    broken = "window.ImageData = class { constructor() { throw new Error('out of memory'); } }, 0"
    steps = [
        *choose(EXAMPLES / "shapes.png"),
        ("ask", broken),
        ("click", "#explain"),
        ("wait", "#refusal"),
        ("ask", TEXT.format("#refusal")),
        ("ask", f"[{EXPLAINED}, {TEXT.format('#explain')}]"),
        ("wait", "#explain"),
    ]
    answers = [answer for answer in browser.look(chromium, shapes, steps) if answer is not None]
    assert answers == [0, "The map cannot be computed: out of memory", [False, "Show what matters"]]
