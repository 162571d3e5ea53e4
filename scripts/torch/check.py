"""Compares wavetrain with PyTorch and ONNX Runtime, through the program alone.

    cargo build --release
    python scripts/torch/check.py presets --data DIR    DIR: mnist, fashion_mnist, cifar10 in it
    python scripts/torch/check.py nets [NAME ...]       odd nets on made-up data
    python scripts/torch/check.py random [SEED ...]     nets drawn at random; seeds 0 to 19 without any
    python scripts/torch/check.py schedules [SEED ...]  every policy that PyTorch has, at random arguments

`presets` trains each embedded preset for a few steps on its real data, then shows pictures of its
size to `wavetrain predict`, to the PyTorch modules that examples/wavetrain_torch.py makes of the file
alone (strict), and to the exported ONNX model in ONNX Runtime: logits must agree within 1e-4 of the
largest. `nets` does the same with nets of odd layer arguments, and compares their loss curves: from
the same weights, in the same order, at the same rates, within 1 % for as long as PyTorch's own f32 and
f64 agree within 0.2 %; the norms of the gradients as well. `random` is `nets` with other nets. `schedules`
compares `wavetrain schedule --format csv` with PyTorch's schedulers at every step, within 1e-12, and
runs what `--format torch` and, where Keras is installed, `--format keras` write, of policies that PyTorch
does not have as well.

Needs torch, safetensors, numpy, pillow, onnx and onnxruntime. Exit status 1 where something differs.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import numpy
import onnx
import onnxruntime
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples"), str(pathlib.Path(__file__).parent)]

from emitted import OWN, RATES_F32, stepped, tabled  # noqa: E402
from odd_nets import NETS  # noqa: E402
from random_nets import random_net  # noqa: E402
from random_schedules import POLICIES, RATES, apart, random_schedule  # noqa: E402
from training import follow  # noqa: E402
from wavetrain_torch import load  # noqa: E402

torch.set_num_threads(2)
PRESETS = {  # steps, and the folder or file of the data
    "glyphs": (20, None),
    "glyphs-gru": (20, None),
    "numbers-lstm": (20, None),
    "sums-gpt": (20, None),
    "shakespeare-lstm": (4, "shakespeare/input.txt"),
    "shakespeare-gpt": (4, "shakespeare/input.txt"),
    "mnist-mlp": (20, "mnist"),
    "mnist-lenet": (20, "mnist"),
    "fashion-cnn": (20, "fashion_mnist"),
    "cifar10-quick": (10, "cifar10"),
    "cifar10-full": (10, "cifar10"),
    "cifar10-resnet20": (4, "cifar10"),
    "cifar10-resnet9": (3, "cifar10"),
}
LOGITS = 1e-4


def wavetrain(*arguments, program: str) -> str:
    run = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"wavetrain {' '.join(map(str, arguments))}\n{run.stderr}")
    return run.stdout


def pictures(folder: pathlib.Path, shape: list, count: int = 6) -> numpy.ndarray:
    """Writes random pictures as PNG; gives their pixels as [N, C, H, W]."""
    channels, height, width = shape
    generator = numpy.random.default_rng(7)
    coarse = generator.integers(0, 256, (count, channels, (height + 3) // 4, (width + 3) // 4))
    pixels = coarse.repeat(4, 2).repeat(4, 3)[:, :, :height, :width].astype(numpy.float64)
    pixels = (pixels + generator.normal(0, 30, pixels.shape)).clip(0, 255).astype(numpy.uint8)
    folder.mkdir()
    for i, picture in enumerate(pixels):
        mode = picture[0] if channels == 1 else picture.transpose(1, 2, 0)
        Image.fromarray(numpy.ascontiguousarray(mode)).save(folder / f"{i}.png")
    return pixels


def seen(run, folder, count: int, classes: int, program: str) -> numpy.ndarray:
    """The outputs of `wavetrain predict`, a row for each picture."""
    files = [folder / f"{i}.png" for i in range(count)]
    text = wavetrain("predict", run, *files, "--top", classes, "--json", program=program)
    rows = numpy.zeros((count, classes))
    for row, prediction in zip(rows, json.loads(text)["predictions"]):
        assert not prediction["changes"], prediction["changes"]
        for top in prediction["top"]:
            row[top["class"]] = top["output"]
    return rows


def exported(run: pathlib.Path, pixels: numpy.ndarray, program: str) -> numpy.ndarray:
    """The logits of ONNX Runtime for the batch, and the same one by one."""
    file = run / "model.onnx"
    wavetrain("export", run, "--onnx", file, program=program)
    onnx.checker.check_model(str(file), full_check=True)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    x = pixels.astype(numpy.float32)
    logits, probabilities = session.run(["logits", "probabilities"], {"input": x})
    alone = [session.run(["logits"], {"input": x[i : i + 1]})[0] for i in range(len(x))]
    assert numpy.abs(numpy.concatenate(alone) - logits).max() <= LOGITS * numpy.abs(logits).max()
    assert (probabilities >= 0).all() and (probabilities <= 1).all()
    return logits


def compare_tokens(name: str, run: pathlib.Path, program: str) -> bool:
    """Outputs behind the end of a prompt that fills the context; of all positions against ONNX."""
    net, about = load(run / "model.safetensors")
    (steps,) = about.description["input"]["shape"]
    generator = numpy.random.default_rng(11)
    between = " " if max(map(len, about.classes)) > 1 else ""
    own, tokens = [], generator.integers(0, len(about.classes), (3, steps))
    for row in tokens:
        prompt = between.join(about.classes[token] for token in row)
        text = wavetrain("predict", run, "--prompt", prompt, "--top", len(about.classes), "--json", program=program)
        outputs = numpy.zeros(len(about.classes))
        for top in json.loads(text)["predictions"][0]["next"]:
            outputs[top["class"]] = top["output"]
        own.append(outputs)
    with torch.no_grad():
        theirs = net(about.prepare(torch.from_numpy(tokens))).numpy()
    file = run / "model.onnx"
    wavetrain("export", run, "--onnx", file, program=program)
    onnx.checker.check_model(str(file), full_check=True)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (ort,) = session.run(["logits"], {"input": tokens})
    largest = max(1.0, numpy.abs(theirs).max())
    off = [numpy.abs(theirs[:, -1] - own).max() / largest, numpy.abs(theirs - ort).max() / largest]
    good = max(off) <= LOGITS
    print(
        f"{name:<24} logits up to {largest:8.2f}; PyTorch off by {off[0]:.1e}, "
        f"ONNX Runtime from PyTorch by {off[1]:.1e}   {'ok' if good else 'DIFFERS'}"
    )
    return good


def compare_logits(name: str, run: pathlib.Path, program: str) -> bool:
    net, about = load(run / "model.safetensors")
    if about.description["input"]["values"] == "tokens":
        return compare_tokens(name, run, program)
    shape = about.description["input"]["shape"]
    pixels = pictures(run / "pictures", shape)
    own = seen(run, run / "pictures", len(pixels), len(about.classes), program)
    with torch.no_grad():
        theirs = net(about.prepare(torch.from_numpy(pixels))).numpy()
    ort = exported(run, pixels, program)
    largest = max(1.0, numpy.abs(theirs).max())
    off = [numpy.abs(other - own).max() / largest for other in (theirs, ort)]
    good = max(off) <= LOGITS
    print(
        f"{name:<24} logits up to {largest:8.2f}; PyTorch off by {off[0]:.1e}, "
        f"ONNX Runtime by {off[1]:.1e}   {'ok' if good else 'DIFFERS'}"
    )
    return good


def check_presets(data: str, program: str, names: list) -> bool:
    good = True
    for name, (steps, source) in PRESETS.items():
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            run = pathlib.Path(folder) / "run"
            extra = ["--data", pathlib.Path(data) / source] if source else []
            length = ["--set", f"train.steps={steps}", "--set", "train.eval_every=100000"]
            wavetrain("train", name, *extra, "--out", run, *length, program=program)
            good &= compare_logits(name, run, program)
    return good


def made_up(folder: pathlib.Path, shape: list, classes: int, count: int) -> None:
    """Noisy patterns as own arrays: the same file for training and test."""
    generator = torch.Generator().manual_seed(5)
    y = torch.randint(classes, (count,), generator=generator)
    patterns = torch.randint(256, (classes, *shape), generator=generator).double()
    noise = torch.randn(count, *shape, generator=generator, dtype=torch.float64) * 60
    x = (patterns[y] + noise).round().clamp(0, 255).to(torch.uint8)
    for name in ("train", "test"):
        save_file({"x": x, "y": y}, folder / f"{name}.safetensors")


def check_net(name: str, case: dict, program: str, least: int = 10) -> bool:
    shape, steps = case.get("shape", [3, 12, 11]), case.get("steps", 40)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        made_up(folder, shape, 4, 44)
        config = folder / "net.toml"
        config.write_text(
            f'[data]\nsource = "safetensors"\ndir = "{folder}"\nbatch = {case.get("batch", 8)}\n'
            f'shuffle = false\nnormalize = "{case.get("normalize", "standard")}"\n'
            f"[model]\nlayers = {case['layers']}\n"
            f'[loss]\n{case.get("loss", LOSS)}\n'
            f'[optimizer]\nkind = "{case.get("kind", "sgd")}"\n{case.get("optimizer", "")}\n'
            f'[schedule]\n{case.get("schedule", SCHEDULE)}\n[train]\nsteps = {steps}\n'
        )
        first, run = folder / "first", folder / "run"
        never = ["--set", "train.eval_every=100000"]
        # No rate: the initial weights, but for the running statistics.
        still = ["--set", "schedule.policy=constant", "--set", "schedule.lr=1e-30"]
        still += ["--set", "train.steps=1"]
        wavetrain("train", config, "--out", first, *never, *still, program=program)
        net, about = load(first / "model.safetensors")
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.reset_running_stats()
        start = folder / "start.safetensors"
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, start)
        wavetrain("train", config, "--out", run, "--init", start, *never, program=program)
        lines = (run / "metrics.jsonl").read_text().splitlines()
        steps = [line for line in map(json.loads, lines) if line["type"] == "step"]
        resolved = tomllib.loads((run / "config.toml").read_text())
        data = load_file(folder / "train.safetensors")
        good = follow(name, net, about, resolved, data, steps, run / "model.safetensors", least)
        if shape[0] in (1, 3):
            good &= compare_logits(name, run, program)
        return good


def drawn(sets: list, steps: int, program: str) -> list:
    """Rate and momentum of each step, from the program."""
    text = wavetrain("schedule", *sets, "--steps", steps, "--format", "csv", program=program)
    rows = [line.split(",") for line in text.splitlines()[1:]]
    return [(float(lr), float(momentum)) for _, lr, momentum in rows]


def check_emitted(name: str, sets: list, own: list, program: str) -> float:
    """How far the Python that the program writes is from its own values."""
    length = ["--steps", len(own), "--format"]
    text = wavetrain("schedule", *sets, *length, "torch", program=program)
    off = apart(stepped(text, len(own)), own)
    text = wavetrain("schedule", *sets, *length, "keras", program=program)
    rates = tabled(text, len(own))
    if rates is not None:
        largest = max(lr for lr, _ in own)
        single = max(abs(a - b[0]) / largest for a, b in zip(rates, own, strict=True))
        off = max(off, math.inf if not single <= RATES_F32 else 0)
    if off > RATES:
        print(f"{name}: the Python is off by {off:.1e}   DIFFERS   {sets}")
    return off


def check_schedules(seeds: list, program: str) -> bool:
    good = True
    for policy in POLICIES:
        furthest = written = 0.0
        for seed in seeds:
            arguments, theirs = random_schedule(policy, seed)
            sets = ["--set", f"schedule.policy={policy}"]
            for key, value in arguments.items():
                sets += ["--set", f"schedule.{key}={json.dumps(value)}"]
            own = drawn(sets, len(theirs), program)
            off = apart(own, theirs)
            if off > RATES:
                good = False
                print(f"{policy} seed {seed}: off by {off:.1e}   DIFFERS   {arguments}")
            furthest = max(furthest, off)
            written = max(written, check_emitted(f"{policy} seed {seed}", sets, own, program))
        good &= written <= RATES
        print(f"{policy:<16} {len(seeds)} schedules, off by at most {furthest:.1e}, as Python {written:.1e}")
    for name, (steps, arguments) in OWN.items():
        sets = [part for key in arguments for part in ("--set", f"schedule.{key}")]
        off = check_emitted(name, sets, drawn(sets, steps, program), program)
        good &= off <= RATES
        print(f"{name:<16} as Python off by {off:.1e}")
    return good


LOSS = 'kind = "cross_entropy"'
SCHEDULE = 'policy = "triangular"\nbase_lr = 0.002\nmax_lr = 0.02\nstep_size_up = 15'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["presets", "nets", "random", "schedules"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--data", default="data")
    parser.add_argument("--program", default=str(ROOT / "target/release/wavetrain"))
    arguments = parser.parse_args()
    if arguments.what == "presets":
        good = check_presets(arguments.data, arguments.program, arguments.names)
    elif arguments.what == "random":
        seeds = [int(name) for name in arguments.names] or range(20)
        nets = [(f"seed {seed}", random_net(seed)) for seed in seeds]
        # A net with kinks everywhere may part PyTorch's own precisions at once.
        good = all([check_net(name, net, arguments.program, least=2) for name, net in nets])
    elif arguments.what == "schedules":
        seeds = [int(name) for name in arguments.names] or range(20)
        good = check_schedules(seeds, arguments.program)
    else:
        names = arguments.names or NETS
        good = all([check_net(name, NETS[name], arguments.program) for name in names])
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
