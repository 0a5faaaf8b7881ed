"""Images from whatever form a data set holds them in to encoded files in the recipe's limits."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from data_prep.source import SetAside

MAX_RATIO = 200
"""qwen_vl_utils refuses images that are longer than this times their width."""
JPEG_QUALITY = 95
CACHED = 16
_KEPT_MODES = ("RGB", "L", "P", "1")
_ORIENTATION = 0x0112
_BASE64 = re.compile(r"(?:data:image/[\w.+-]+;base64,)?(?P<data>[A-Za-z0-9+/\s]{40,}={0,2}\s*)")


@dataclass(frozen=True)
class ImageRules:
    """What images must be like, and where they are."""

    min_pixels: int = 3_136
    """Smaller images are enlarged; 0: none."""
    max_pixels: int = 1_048_576
    """Larger images are reduced; 0: none."""
    roots: tuple[str, ...] = ()
    """Folders that relative paths may start from."""
    save_to: str | None = None
    """Folder for images as files named by their content; None: they stay bytes."""


@dataclass(frozen=True)
class Picture:
    """An image as the row gets it."""

    content: bytes | str
    """The encoded file, or the absolute path under which it was saved."""
    width: int
    height: int


class ImageStore:
    """Makes pictures by the rules; remembers the last few, since neighbouring rows often share their image."""

    def __init__(self, rules: ImageRules) -> None:
        self.rules = rules
        self._recent: OrderedDict[bytes, Picture] = OrderedDict()

    def picture(self, image: Any) -> Picture:
        """SetAside, naming what is wrong and where, for an image that is missing, broken or too long."""
        data, name = read_image(image, self.rules.roots)
        key = hashlib.sha256(data).digest()
        if key not in self._recent:
            content, width, height = fit(data, self.rules, name)
            self._recent[key] = Picture(self._saved(content), width, height)
            if len(self._recent) > CACHED:
                self._recent.popitem(last=False)
        self._recent.move_to_end(key)
        return self._recent[key]

    def _saved(self, content: bytes) -> bytes | str:
        if self.rules.save_to is None:
            return content
        suffix = ".jpg" if content.startswith(b"\xff\xd8") else ".png"
        path = Path(self.rules.save_to, hashlib.sha256(content).hexdigest()[:32] + suffix)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
            partial.write_bytes(content)
            partial.replace(path)
        return str(path)


def read_image(image: Any, roots: tuple[str, ...] = ()) -> tuple[bytes, str]:
    """(encoded file, name for messages) of a PIL image, bytes, base64 text, path, or `{"bytes", "path"}`."""
    if isinstance(image, Mapping):
        if image.get("bytes"):
            return bytes(image["bytes"]), str(image.get("path") or "")
        image = image.get("path")
    if isinstance(image, Image.Image):
        buffer = BytesIO()
        try:
            image.save(buffer, format="PNG" if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "TIFF")
        except (OSError, ValueError, SyntaxError) as error:
            raise SetAside("image is broken", str(error)) from error
        return buffer.getvalue(), ""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image), ""
    if (isinstance(image, str) and len(image) > 512) or str(image).startswith("data:image/"):
        return _decoded(image), ""
    if isinstance(image, str | os.PathLike) and str(image):
        return _file(image, roots)
    raise SetAside("image is missing", f"got {type(image).__name__}")


def _decoded(text: str) -> bytes:
    match = _BASE64.fullmatch(text)
    try:
        return base64.b64decode("".join((match["data"] if match else text).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SetAside("image is not base64", f"{text[:40]}…: {error}") from error


def _file(image: str | os.PathLike[str], roots: tuple[str, ...]) -> tuple[bytes, str]:
    for root in roots or ("",):
        try:
            path = Path(root, image)
            return path.read_bytes(), str(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if error.errno != 36:  # ENAMETOOLONG: a text that is no path
                raise SetAside("image file cannot be read", f"{path}: {error.strerror}") from error
    text = str(image)
    if len(text) >= 40 and _BASE64.fullmatch(text):
        return _decoded(text), ""
    raise SetAside("image file is missing", f"{text[:200]} in {', '.join(roots) or '.'}")


def fit(data: bytes, rules: ImageRules, name: str = "") -> tuple[bytes, int, int]:
    """(encoded file, width, height): the data itself if it is a PNG or JPEG within the limits that a model can read.

    Otherwise upright, without transparency (over white), 8 bits a channel, resized, and encoded anew: JPEG stays JPEG,
    the rest becomes PNG. The whole file is decoded in any case, so that a truncated one shows.
    """
    try:
        with Image.open(BytesIO(data)) as image:
            size = target_size(*_upright_size(image), rules)
            keep = _may_stay(image) and size == image.size
            if image.format == "JPEG":
                # A decoder at a smaller scale reads the whole file all the same, in a third of the time.
                image.draft(None, (1, 1) if keep else (min(size), min(size)))
            image.load()
            if keep:
                return data, *size
            buffer = BytesIO()
            upright: Image.Image = ImageOps.exif_transpose(image)
            fitted = _resized(_flat(upright), size)
            if image.format == "JPEG":
                fitted.save(buffer, format="JPEG", quality=JPEG_QUALITY)
            else:
                fitted.save(buffer, format="PNG")
            return buffer.getvalue(), *size
    except Image.DecompressionBombError as error:
        raise SetAside("image is too large to open", f"{name} {error}".strip()) from error
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError, ArithmeticError) as error:
        raise SetAside("image is broken", f"{name} {error}".strip()) from error


def _upright_size(image: Image.Image) -> tuple[int, int]:
    turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if turned else image.size


def _may_stay(image: Image.Image) -> bool:
    plain = image.mode in _KEPT_MODES and "transparency" not in image.info
    return image.format in ("PNG", "JPEG") and plain and image.getexif().get(_ORIENTATION, 1) in (0, 1)


def target_size(width: int, height: int, rules: ImageRules) -> tuple[int, int]:
    """The size within the limits, in the same proportions; SetAside for an image that is a line."""
    if max(width, height) > MAX_RATIO * min(width, height):
        raise SetAside(f"image is over {MAX_RATIO} times as long as it is wide", f"{width} x {height}")
    pixels = width * height
    rounded: Callable[[float], int]
    if rules.max_pixels and pixels > rules.max_pixels:
        scale, rounded = math.sqrt(rules.max_pixels / pixels), math.floor
    elif pixels < rules.min_pixels:
        scale, rounded = math.sqrt(rules.min_pixels / pixels), math.ceil
    else:
        return width, height
    return max(1, rounded(width * scale)), max(1, rounded(height * scale))


def seen_size(width: int, height: int, factor: int) -> tuple[int, int]:
    """The size to which qwen_vl_utils brings an image before the model sees it.

    Sides are the nearest multiples of `factor`; beyond 4 to 16,384 cells, those within in about the same proportions.
    """
    sides = [max(factor, round(side / factor) * factor) for side in (width, height)]
    low, high = 4 * factor**2, 16_384 * factor**2
    if not low <= sides[0] * sides[1] <= high:
        small = sides[0] * sides[1] < low
        scale, to_whole = math.sqrt((low if small else high) / (width * height)), math.ceil if small else math.floor
        sides = [to_whole(side * scale / factor) * factor for side in (width, height)]
    return sides[0], sides[1]


def _flat(image: Image.Image) -> Image.Image:
    """RGB or grey: 16-bit values scaled, transparency over white."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        import numpy as np

        values = np.asarray(image, np.float64)
        return Image.fromarray(np.clip(values * 255 / max(65535, values.max()), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image).convert("RGB")
    return image if image.mode in ("RGB", "L") else image.convert("RGB")


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bicubic, as qwen_vl_utils resizes again."""
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
