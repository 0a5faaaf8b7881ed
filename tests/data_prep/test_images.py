from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.images import ImageRules, ImageStore, fit, target_size
from data_prep.source import SetAside

RULES = ImageRules()


def picture(size=(80, 60), mode="RGB", color="red", format="PNG", **options) -> bytes:
    buffer = BytesIO()
    Image.new(mode, size, color).save(buffer, format=format, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_fitting_file_stays_as_it_is(format, mode):
    data = picture(mode=mode, color=100 if mode == "L" else "red", format=format)
    assert fit(data, RULES) == (data, 80, 60)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((56, 56), (56, 56)), ((55, 56), (56, 57)), ((1024, 1024), (1024, 1024)), ((2048, 1024), (1448, 724)),
     ((10, 40), (28, 112)), ((1, 200), None), ((1, 201), None)],
)  # fmt: skip
def test_sizes_are_brought_into_the_limits(size, expected):
    if size == (1, 201):
        with pytest.raises(SetAside, match="200 times"):
            target_size(*size, RULES)
        return
    width, height = target_size(*size, RULES)
    assert expected in (None, (width, height)) and 3136 <= width * height <= 1048576


def test_limits_can_be_switched_off():
    assert target_size(3000, 2000, ImageRules(min_pixels=0, max_pixels=0)) == (3000, 2000)
    assert target_size(3, 2, ImageRules(min_pixels=0, max_pixels=0)) == (3, 2)


@pytest.mark.parametrize(("format", "kept"), [("JPEG", "JPEG"), ("PNG", "PNG"), ("BMP", "PNG"), ("WEBP", "PNG")])
def test_large_images_shrink_in_their_kind(format, kept):
    data, width, height = fit(picture((1600, 1200), format=format), RULES)
    assert (opened(data).format, opened(data).size) == (kept, (width, height)) and width * height <= 1048576
    red, green, blue = opened(data).convert("RGB").getpixel((500, 500))
    assert red > 240 and green < 15 and blue < 15


def test_orientation_is_applied():
    image = Image.new("RGB", (80, 60), "red")
    image.paste("blue", (0, 0, 40, 60))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    buffer = BytesIO()
    image.save(buffer, format="JPEG", exif=exif, quality=95)
    data, width, height = fit(buffer.getvalue(), RULES)
    turned = opened(data)
    assert (width, height) == turned.size == (60, 80) and turned.getexif().get(0x0112, 1) == 1
    assert turned.getpixel((30, 10))[2] > 200 and turned.getpixel((30, 70))[0] > 200


@pytest.mark.parametrize(
    ("data", "color"),
    [
        (picture(mode="RGBA", color=(255, 0, 0, 0)), (255, 255, 255)),
        (picture(mode="RGBA", color=(255, 0, 0, 255)), (255, 0, 0)),
        (picture(mode="LA", color=(0, 0)), (255, 255, 255)),
        (picture(mode="I;16", color=65535), (255, 255, 255)),
        (picture(mode="I;16", color=32896), (128, 128, 128)),
        (picture(mode="CMYK", color=(0, 255, 255, 0), format="TIFF"), (255, 0, 0)),
        (picture(mode="P", color=0, transparency=0), (255, 255, 255)),
    ],
    ids=["transparent", "opaque", "grey with alpha", "16 bits white", "16 bits grey", "cmyk", "palette"],
)
def test_other_modes_become_what_one_sees(data, color):
    image = opened(fit(data, RULES)[0])
    assert image.mode in ("RGB", "L") and image.convert("RGB").getpixel((5, 5)) == color


def noise(format: str) -> bytes:
    buffer = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(buffer, format=format)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [noise("JPEG")[:-400], noise("PNG")[:-400], b"no image", picture()[:30]])
def test_a_truncated_or_broken_image_is_set_aside(data):
    with pytest.raises(SetAside, match="image is broken"):
        fit(data, RULES, "a.png")


def test_every_form_gives_the_same_image(tmp_path):
    data = picture()
    (tmp_path / "a.png").write_bytes(data)
    store = ImageStore(ImageRules(roots=(str(tmp_path / "none"), str(tmp_path))))
    text = base64.b64encode(data).decode()
    forms = [data, bytearray(data), text, f"data:image/png;base64,{text}", "a.png", "./a.png", tmp_path / "a.png",
             {"bytes": data, "path": None}, {"bytes": None, "path": "a.png"}]  # fmt: skip
    assert [store.picture(form).content for form in forms] == [data] * len(forms)
    assert opened(store.picture(Image.new("RGB", (80, 60), "red")).content).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("image", "reason"),
    [("b.png", "image file is missing"), (None, "image is missing"),
     ({"bytes": None, "path": None}, "image is missing"),
     ("", "image is missing"), ("A" * 600 + "!", "image is not base64"), ("A" * 601, "image is not base64"),
     ("x" * 300 + ".png", "image file is missing")],
)  # fmt: skip
def test_a_missing_image_says_so(tmp_path, image, reason):
    with pytest.raises(SetAside, match=reason):
        ImageStore(ImageRules(roots=(str(tmp_path),))).picture(image)


def test_saved_images_are_one_file_per_content(tmp_path):
    store = ImageStore(ImageRules(save_to=str(tmp_path / "images")))
    paths = [store.picture(picture(color=color)).content for color in ("red", "blue", "red")]
    assert paths[0] == paths[2] != paths[1]
    assert sorted(map(str, (tmp_path / "images").iterdir())) == sorted(set(paths))
    assert Path(paths[1]).read_bytes() == picture(color="blue")
