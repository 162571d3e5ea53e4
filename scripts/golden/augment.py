"""Pictures changed at random as PyTorch changes them, for given draws, in f64: the affine map and the
shift as one map by torch.nn.functional.grid_sample (bilinear, outside zeros or the picture mirrored) with
the inverse matrix as torchvision writes it out (torchvision.transforms.functional.affine); without a turn
the shift by torch.nn.functional.pad and a crop; the flips by torch.flip, then the normalisation, then the
cut-out. In front of all the colours as torchvision writes them out for tensors
(torchvision.transforms._functional_tensor), with 255 for the largest value.

Writes tests/golden/augment.json.
Run: python scripts/golden/augment.py
"""

import math

import torch
from golden import dyadic, tensor, write
from torch.nn import functional


def inverse_matrix(degrees: float, scale: float, shear: float) -> list[list[float]]:
    """torchvision's _get_inverse_affine_matrix for a centre of 0, no translation, a shear in x."""
    rot, sx, sy = math.radians(degrees), math.radians(shear), 0.0
    a = math.cos(rot - sy) / math.cos(sy)
    b = -math.cos(rot - sy) * math.tan(sx) / math.cos(sy) - math.sin(rot)
    c = math.sin(rot - sy) / math.cos(sy)
    d = -math.sin(rot - sy) * math.tan(sx) / math.cos(sy) + math.cos(rot)
    return [[d / scale, -b / scale], [-c / scale, a / scale]]


def affine(
    picture: torch.Tensor, turn: list[float], shift: list[int], padding: str
) -> torch.Tensor:
    _, height, width = picture.shape
    matrix = torch.tensor(inverse_matrix(*turn), dtype=torch.float64)
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64) + shift[0] - (height - 1) / 2,
        torch.arange(width, dtype=torch.float64) + shift[1] - (width - 1) / 2,
        indexing="ij",
    )
    source = torch.stack([x, y], dim=-1) @ matrix.T
    # From pixels about the middle to grid_sample's -1 to 1 between the outer pixels' middles, about which
    # it mirrors.
    grid = source * 2 / torch.tensor([width - 1, height - 1], dtype=torch.float64)
    mode = {"reflect": "reflection", "zero": "zeros"}[padding]
    return functional.grid_sample(
        picture[None], grid[None], padding_mode=mode, align_corners=True
    )[0]


def shifted(picture: torch.Tensor, shift: list[int], most: int, padding: str) -> torch.Tensor:
    _, height, width = picture.shape
    mode = {"reflect": "reflect", "zero": "constant"}[padding]
    padded = functional.pad(picture[None], [most] * 4, mode=mode)[0] if most else picture
    top, left = most + shift[0], most + shift[1]
    return padded[:, top : top + height, left : left + width]


def grey(picture: torch.Tensor) -> torch.Tensor:
    """torchvision's rgb_to_grayscale."""
    if picture.shape[0] == 1:
        return picture
    red, green, blue = picture.unbind(0)
    return (0.2989 * red + 0.587 * green + 0.114 * blue)[None]


def blend(a: torch.Tensor, b: torch.Tensor, ratio: float) -> torch.Tensor:
    """torchvision's _blend."""
    return (ratio * a + (1.0 - ratio) * b).clamp(0, 255)


def coloured(picture: torch.Tensor, colours: list[float]) -> torch.Tensor:
    """torchvision's adjust_brightness, adjust_contrast and adjust_saturation."""
    brightness, contrast, saturation = colours
    if brightness != 1.0:
        picture = blend(picture, torch.zeros_like(picture), brightness)
    if contrast != 1.0:
        picture = blend(picture, torch.mean(grey(picture)), contrast)
    if saturation != 1.0:
        picture = blend(picture, grey(picture), saturation)
    return picture


def main() -> None:
    generator = torch.Generator().manual_seed(9)
    variants = [
        # shape, most pixels of a shift, padding, shift, flips, cut-out, its place, affine map
        ([1, 5, 7], 0, "reflect", [0, 0], [True, False], 0, [0, 0], None),
        ([3, 4, 4], 3, "reflect", [-3, 2], [False, False], 0, [0, 0], None),
        ([3, 4, 6], 3, "zero", [3, -1], [True, False], 0, [0, 0], None),
        ([2, 6, 5], 0, "reflect", [0, 0], [False, False], 3, [2, 1], None),
        ([1, 5, 7], 0, "reflect", [0, 0], [True, True], 0, [0, 0], None),
        ([1, 9, 7], 0, "zero", [0, 0], [False, False], 0, [0, 0], [30.0, 1.0, 0.0]),
        ([1, 9, 7], 0, "reflect", [0, 0], [False, True], 0, [0, 0], [30.0, 0.2, 0.0]),
        ([1, 9, 7], 0, "reflect", [0, 0], [False, False], 0, [0, 0], [0.0, 0.75, 0.0]),
        ([1, 9, 7], 0, "reflect", [0, 0], [False, False], 0, [0, 0], [0.0, 1.0, 25.0]),
        ([3, 8, 11], 2, "reflect", [1, -2], [True, False], 4, [3, 6], [-17.0, 1.25, 12.0]),
        ([3, 8, 11], 2, "zero", [-2, 2], [True, False], 4, [0, 0], [140.0, 0.5, -30.0]),
    ]
    still = (0, "reflect", [0, 0], [False, False], 0, [0, 0], None)
    variants = [(*variant, None) for variant in variants] + [
        # The same, and the factors of brightness, contrast and saturation.
        ([3, 5, 7], *still, [1.75, 1.0, 1.0]),
        ([3, 5, 7], *still, [1.0, 0.25, 1.0]),
        ([3, 5, 7], *still, [1.0, 1.0, 2.5]),
        ([3, 5, 7], *still, [1.25, 1.5, 0.5]),
        ([1, 6, 5], *still, [0.5, 2.0, 1.0]),
        ([3, 6, 6], 2, "zero", [1, -2], [True, False], 2, [3, 1], None, [1.5, 0.75, 1.75]),
    ]
    cases = []
    for shape, most, padding, shift, flips, cutout, place, turn, colours in variants:
        picture = dyadic(generator, *shape, deviation=50.0, unit=4)
        mean, scale = dyadic(generator, *shape), dyadic(generator, *shape)
        if colours:
            picture = (picture + 128).round().clamp(0, 255)
        x = coloured(picture, colours) if colours else picture
        if turn is None:
            x = shifted(x, shift, most, padding)
        else:
            x = affine(x, turn, shift, padding)
        x = torch.flip(x, [axis for axis, flip in zip([-1, -2], flips) if flip])
        x = ((x - mean) * scale).clone()
        row, column = place
        x[:, row : row + cutout, column : column + cutout] = 0
        degrees, factor, shear = turn or [0.0, 1.0, 0.0]
        brightness, contrast, saturation = colours or [1.0, 1.0, 1.0]
        cases.append(
            {
                "shift": most,
                "padding": padding,
                "cutout": cutout,
                "affine": turn is not None,
                "drawn": {
                    "flip": flips[0],
                    "vertical_flip": flips[1],
                    "shift": shift,
                    "cutout": place,
                    "rotation": degrees,
                    "scale": factor,
                    "shear": shear,
                    "brightness": brightness,
                    "contrast": contrast,
                    "saturation": saturation,
                },
                "picture": tensor(picture),
                "mean": tensor(mean),
                "scale": tensor(scale),
                "expected": tensor(x),
            }
        )
    write("augment.json", cases=cases)


if __name__ == "__main__":
    main()
