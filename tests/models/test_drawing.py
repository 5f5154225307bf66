"""Boxes on images: where they are, that the image itself stays, and that nothing is cut off."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sensenet.models.drawing import draw_boxes, label_colors

BOX = {"box": [20, 60, 80, 110], "label": "cup", "score": 0.75}


def canvas(size=(200, 150), mode="RGB"):
    return Image.new(mode, size, 128)


def changed(before, after):
    """bool[h, w]: the pixels that differ."""
    return (np.asarray(before.convert("RGB")) != np.asarray(after)).any(axis=-1)


def test_a_box_is_a_frame_with_a_caption_above():
    image = canvas()
    drawn = changed(image, draw_boxes(image, [BOX]))
    assert drawn[60, 20:81].all()
    assert drawn[110, 20:81].all()
    assert drawn[60:111, 20].all()
    assert drawn[60:111, 80].all()
    assert not drawn[70:100, 30:70].any()
    assert drawn[48:59, 22:40].all()
    assert not drawn[112:].any()
    assert not changed(image, canvas()).any()


def test_boxes_beyond_the_image_stay_on_it():
    for box in ([-50, -20, 90, 60], [150, 100, 400, 300], [-9, -9, -1, -1], [300, 300, 400, 400]):
        assert changed(canvas(), draw_boxes(canvas(), [{**BOX, "box": box}])).any()


def test_captions_stand_on_the_image():
    drawn = changed(canvas(), draw_boxes(canvas(), [{**BOX, "box": [190, 2, 198, 9]}]))
    assert drawn[3:15, 150:198].any()


def test_the_best_object_is_on_top():
    objects = [{**BOX, "label": label, "score": score} for label, score in (("a", 0.9), ("b", 0.2))]
    colors = label_colors(["a", "b"])
    image = draw_boxes(canvas(), objects)
    assert image.getpixel((20, 100)) == colors["a"]


def test_every_label_has_its_color_and_every_mode_is_drawn_on():
    assert len(set(label_colors(map(str, range(80))).values())) == 80
    for mode in ("L", "RGBA", "P"):
        assert draw_boxes(canvas(mode=mode), [BOX]).mode == "RGB"
    assert not changed(canvas(), draw_boxes(canvas(), [])).any()
