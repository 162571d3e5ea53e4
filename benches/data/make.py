"""Large data sets to measure with: pictures, a table, arrays, a text.

    python make.py pictures CIFAR10_FOLDER OUT [COUNT]   COUNT JPEGs (50,000) of 100 to 200 pixels a side
    python make.py table OUT [GIGABYTES]                 a CSV of 4 GB: 100 columns of numbers, ten classes
    python make.py arrays OUT [GIGABYTES]                train and test.safetensors of 4 GB, f32 [N, 3, 32, 32]
    python make.py npz OUT [GIGABYTES] [compressed]      the same in train and test.npz
    python make.py npy OUT [GIGABYTES]                   the same in .npy, whose first axis is the fastest
    python make.py text OUT [GIGABYTES]                  train.txt of 4 GB, words with letters of 1 to 3 bytes

CIFAR10_FOLDER holds cifar-10-batches-bin. Needs Pillow, NumPy and safetensors. The same bytes each time.
"""

import json
import sys
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

PART = 1000


def pictures_of(job):
    """Writes the pictures of one portion."""
    from PIL import Image

    batch, first, out = job
    records = np.memmap(batch, dtype=np.uint8, mode="r").reshape(-1, 3073)
    for at in range(PART):
        number = first + at
        record = records[number % len(records)]
        draw = np.random.default_rng(number)
        side = int(draw.integers(100, 201))
        size = (side, int(draw.integers(100, 201)))
        picture = Image.fromarray(record[1:].reshape(3, 32, 32).transpose(1, 2, 0))
        part = "test" if number % 6 == 5 else "train"
        folder = out / part / f"class{record[0]}"
        picture.resize(size, Image.BICUBIC).save(folder / f"{number:06}.jpg", quality=85)
    return first


def pictures(source, out, count=50_000):
    out = Path(out)
    for part in ["train", "test"]:
        for label in range(10):
            (out / part / f"class{label}").mkdir(parents=True, exist_ok=True)
    batches = sorted(Path(source).rglob("data_batch_*.bin"))
    jobs = [(batches[at // 10 % len(batches)], at * PART, out) for at in range(int(count) // PART)]
    with ProcessPoolExecutor() as pool:
        for first in pool.map(pictures_of, jobs):
            print(f"\r{first + PART} pictures", end="", flush=True)
    print()


def table(out, gigabytes=4.0):
    draw = np.random.default_rng(1)
    centres = draw.normal(size=(10, 100))
    most, written = float(gigabytes) * 1e9, 0
    with open(out, "w", encoding="ascii") as file:
        file.write(",".join(f"x{i}" for i in range(100)) + ",kind\n")
        while written < most:
            kinds = draw.integers(0, 10, 2000)
            rows = centres[kinds] + 2 * draw.normal(size=(2000, 100))
            lines = "".join(
                ",".join(f"{v:.5f}" for v in row) + f",k{kind}\n" for row, kind in zip(rows, kinds)
            )
            written += file.write(lines)


def draws(gigabytes):
    """Name, labels and an iterator of portions of x [n, 3, 32, 32] of each part."""
    count = int(float(gigabytes) * 1e9 / (4 * 3072))
    draw = np.random.default_rng(2)
    centres = draw.normal(size=(10, 3072)).astype(np.float32)

    def portions(labels):
        for first in range(0, len(labels), 4096):
            of = labels[first : first + 4096]
            noise = draw.standard_normal((len(of), 3072), dtype=np.float32)
            yield (centres[of] + 3 * noise).reshape(-1, 3, 32, 32)

    for name, n in [("train", count), ("test", 5000)]:
        labels = draw.integers(0, 10, n).astype(np.uint8)
        yield name, labels, portions(labels)


def arrays(out, gigabytes=4.0):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, labels, portions in draws(gigabytes):
        n = len(labels)
        x = {"dtype": "F32", "shape": [n, 3, 32, 32], "data_offsets": [0, n * 12288]}
        y = {"dtype": "U8", "shape": [n], "data_offsets": [n * 12288, n * 12289]}
        header = json.dumps({"x": x, "y": y}).encode()
        header += b" " * (-len(header) % 8)
        with open(out / f"{name}.safetensors", "wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            for portion in portions:
                file.write(portion.tobytes())
            file.write(labels.tobytes())


def npz(out, gigabytes=4.0, compressed=""):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    for name, labels, portions in draws(gigabytes):
        about = {"descr": "<f4", "fortran_order": False, "shape": (len(labels), 3, 32, 32)}
        with zipfile.ZipFile(out / f"{name}.npz", "w", method, compresslevel=1) as archive:
            with archive.open("x.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array_header_1_0(file, about)
                for portion in portions:
                    file.write(portion.tobytes())
            with archive.open("y.npy", "w") as file:
                np.lib.format.write_array(file, labels)


def npy(out, gigabytes=4.0):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, labels, portions in draws(gigabytes):
        shape = (len(labels), 3, 32, 32)
        file = np.lib.format.open_memmap(
            out / f"x_{name}.npy", "w+", "<f4", shape, fortran_order=True
        )
        first = 0
        for portion in portions:
            file[first : first + len(portion)] = portion
            first += len(portion)
        file.flush()
        np.save(out / f"y_{name}.npy", labels)


def text(out, gigabytes=4.0):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(3)
    letters = list("etaoinshrdlucmfwypvbgkjqxzäöüßéè—…")
    words = ["".join(draw.choice(letters, draw.integers(1, 9))) for _ in range(5000)]
    for name, most in [("test", 1e6), ("train", float(gigabytes) * 1e9)]:
        written = 0
        with open(out / f"{name}.txt", "wb") as file:
            while written < most:
                line = [words[at] for at in draw.zipf(1.3, 100_000) % len(words)]
                written += file.write((" ".join(line) + "\n").encode())


if __name__ == "__main__":
    commands = {
        "pictures": pictures,
        "table": table,
        "arrays": arrays,
        "npz": npz,
        "npy": npy,
        "text": text,
    }
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
