"""Losses of torch.nn.functional and their gradients, in f64.

Writes tests/golden/losses/NAME.json. Run: python scripts/golden/losses.py
"""

import torch
import torch.nn.functional as F
from golden import dyadic, tensor, write


def logits(generator: torch.Generator, batch: int, classes: int) -> torch.Tensor:
    """Random logits whose largest is not tied in any row, so that accuracy is well defined."""
    while True:
        x = dyadic(generator, batch, classes, deviation=3)
        top = x.topk(2, dim=1).values
        if (top[:, 0] > top[:, 1]).all():
            return x


def extreme() -> torch.Tensor:
    """Rows with logits of +-10,000: alone, against each other, all large, all but one small."""
    big = 1e4
    rows = torch.tensor(
        [
            [big, 0, 0, 0, 0],
            [-big, 0, 0, 0, 1],
            [big, -big, 0, 0, 0],
            [big, big - 2, big - 1, big - 4, big - 3],
            [-big, 3 - big, 2 - big, 1 - big, -big],
            [-big, -big, -big, -big, big],
            [big, -big, big - 0.5, -big, 0],
        ],
        dtype=torch.float64,
    )
    return rows + 0.0


def case(x: torch.Tensor, labels: torch.Tensor, arguments: str, function) -> dict:
    """`function(x, labels)` gives the loss of each sample; the loss is their mean."""
    x = x.clone().requires_grad_()
    per_sample = function(x, labels)
    loss = per_sample.mean()
    loss.backward()
    return {
        "arguments": arguments,
        "x": tensor(x),
        "labels": labels.tolist(),
        "loss": loss.item(),
        "per_sample": per_sample.tolist(),
        "dx": tensor(x.grad),
        "correct": int((x.argmax(dim=1) == labels).sum()),
    }


def weighted(x, labels, weight, smoothing: float) -> dict:
    """The mean is over the weights of the labels; `per_sample` are their shares of the sum."""
    x = x.clone().requires_grad_()
    loss = F.cross_entropy(x, labels, weight=weight, label_smoothing=smoothing)
    loss.backward()
    per_sample = F.cross_entropy(
        x, labels, weight=weight, label_smoothing=smoothing, reduction="none"
    )
    return {
        "arguments": "",
        "x": tensor(x),
        "labels": labels.tolist(),
        "loss": loss.item(),
        "per_sample": per_sample.tolist(),
        "dx": tensor(x.grad),
        "correct": int((x.argmax(dim=1) == labels).sum()),
    }


def inputs(generator: torch.Generator):
    for batch, classes in [(1, 2), (1, 10), (3, 17), (17, 5), (19, 10), (2, 100)]:
        labels = torch.randint(classes, (batch,), generator=generator)
        yield logits(generator, batch, classes), labels


def cross_entropy() -> None:
    generator = torch.Generator().manual_seed(3)
    rows = extreme()
    pairs = [*inputs(generator)]
    # The label on the largest logit, then on the smallest.
    pairs += [(rows, rows.argmax(dim=1)), (rows, rows.argmin(dim=1))]
    cases = []
    for smoothing in [0.0, 0.1]:
        for x, labels in pairs:
            made = case(
                x,
                labels,
                f"label_smoothing = {smoothing}",
                lambda x, labels: F.cross_entropy(
                    x, labels, label_smoothing=smoothing, reduction="none"
                ),
            )
            mean = F.cross_entropy(x, labels, label_smoothing=smoothing)
            assert abs(mean.item() - made["loss"]) <= 1e-12 * abs(made["loss"])
            cases.append(made)
    for smoothing in [0.0, 0.1]:
        for x, labels in inputs(generator):
            classes = x.shape[1]
            weight = 0.25 + 0.5 * (torch.arange(classes) % 7).double()
            table = ", ".join(f'"{i}" = {w}' for i, w in enumerate(weight.tolist()))
            made = weighted(x, labels, weight, smoothing)
            made["arguments"] = f"label_smoothing = {smoothing}\nclass_weights = {{ {table} }}"
            cases.append(made)
    write("losses/cross_entropy.json", loss="cross_entropy", cases=cases)


def mse() -> None:
    generator = torch.Generator().manual_seed(4)

    def function(x, labels):
        rows = F.one_hot(labels, x.shape[1]).double()
        return F.mse_loss(x, rows, reduction="none").mean(dim=1)

    cases = []
    for x, labels in inputs(generator):
        made = case(x, labels, "", function)
        mean = F.mse_loss(x, F.one_hot(labels, x.shape[1]).double())
        assert abs(mean.item() - made["loss"]) <= 1e-12 * abs(made["loss"])
        cases.append(made)
    cases += over_numbers(7, "", lambda x, t: F.mse_loss(x, t, reduction="none"))
    write("losses/mse.json", loss="mse", cases=cases)


def numbers(x, wanted, arguments: str, function) -> dict:
    """`function(x, wanted)` gives the loss of each element; the loss is their mean."""
    x = x.clone().requires_grad_()
    per_element = function(x, wanted)
    loss = per_element.mean()
    loss.backward()
    return {
        "arguments": arguments,
        "numbers": tensor(wanted),
        "x": tensor(x),
        "loss": loss.item(),
        "per_sample": per_element.mean(dim=1).tolist(),
        "dx": tensor(x.grad),
    }


def over_numbers(seed: int, arguments: str, function) -> list:
    generator = torch.Generator().manual_seed(seed)
    cases = []
    for batch, width in [(1, 1), (7, 1), (3, 2), (19, 5), (65, 3)]:
        x = dyadic(generator, batch, width, deviation=2)
        wanted = dyadic(generator, batch, width, deviation=1)
        # Some are met exactly.
        wanted[0, 0] = x[0, 0]
        cases.append(numbers(x, wanted, arguments, function))
    return cases


def l1() -> None:
    cases = over_numbers(5, "", lambda x, t: F.l1_loss(x, t, reduction="none"))
    write("losses/l1.json", loss="l1", cases=cases)


def huber() -> None:
    cases = []
    for delta in [1.0, 0.25]:
        loss = lambda x, t: F.huber_loss(x, t, reduction="none", delta=delta)  # noqa: E731
        cases += over_numbers(6, f"delta = {delta}", loss)
    write("losses/huber.json", loss="huber", cases=cases)


if __name__ == "__main__":
    cross_entropy()
    mse()
    l1()
    huber()
