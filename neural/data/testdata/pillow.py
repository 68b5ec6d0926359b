"""Writes pillow.txt: what Pillow makes of two small images, for augment_test.go.

python3 pillow.py > pillow.txt
"""

import PIL
from PIL import Image, ImageEnhance, ImageOps

W, H = 9, 7


def image(mode):
    channels = len(mode) if mode == "RGB" else 1
    state, out = 12345, bytearray()
    for i in range(W * H * channels):
        state = (1103515245 * state + 12345) % 2**31
        # Values between 20 and 219, so that contrast can be stretched.
        out.append(20 + (state >> 16) % 200)
    return Image.frombytes(mode, (W, H), bytes(out))


def affine(im, m):
    return im.transform(im.size, Image.Transform.AFFINE, m, Image.Resampling.NEAREST)


OPS = [("autocontrast", [0], lambda im, a: ImageOps.autocontrast(im)), ("equalize", [0], lambda im, a: ImageOps.equalize(im))]
OPS += [("solarize", [0, 100.5, 128, 255], lambda im, a: ImageOps.solarize(im, a))]
OPS += [("posterize", [2, 4, 7, 8], lambda im, a: ImageOps.posterize(im, a))]
FACTORS = [0.1, 0.73, 1, 1.27, 1.9]
OPS += [
    ("color", FACTORS, lambda im, a: ImageEnhance.Color(im).enhance(a)),
    ("contrast", FACTORS, lambda im, a: ImageEnhance.Contrast(im).enhance(a)),
    ("brightness", FACTORS, lambda im, a: ImageEnhance.Brightness(im).enhance(a)),
    ("sharpness", FACTORS, lambda im, a: ImageEnhance.Sharpness(im).enhance(a)),
    ("rotate", [-30, -9, 0.5, 17, 30, 100, 135], lambda im, a: im.rotate(a)),
    ("shear-x", [-0.3, 0.11, 0.99], lambda im, a: affine(im, (1, a, 0, 0, 1, 0))),
    ("shear-y", [-0.3, 0.11, 0.99], lambda im, a: affine(im, (1, 0, 0, a, 1, 0))),
    ("translate-x", [-3, 2, 40], lambda im, a: affine(im, (1, 0, -a, 0, 1, 0))),
    ("translate-y", [-3, 2, 40], lambda im, a: affine(im, (1, 0, 0, 0, 1, -a))),
]

print("# Pillow", PIL.__version__)
for mode in ("L", "RGB"):
    im = image(mode)
    print(mode, "image", 0, im.tobytes().hex())
    for name, args, f in OPS:
        for a in args:
            print(mode, name, a, f(im, a).tobytes().hex())
# A larger one, of which all values do not occur equally often.
im = Image.frombytes("L", (64, 64), bytes((i * i // 97 + i // 64) % 256 for i in range(4096)))
for name in ("equalize", "autocontrast"):
    import zlib
    f = dict((n, g) for n, _, g in OPS)[name]
    print("L64", name, zlib.crc32(im.tobytes()), "%08x" % zlib.crc32(f(im, 0).tobytes()))
