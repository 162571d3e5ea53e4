//! `mnist`: handwritten digits, 60,000 and 10,000 pictures of 28x28 (LeCun, Cortes and Burges,
//! "The MNIST database of handwritten digits", 1998).

use super::glyphs::DIGITS;
use super::idx::folder::Set;
use super::{Entry, Sizes};

const SET: Set = Set {
    name: "mnist",
    title: "MNIST",
    classes: DIGITS,
    torchvision: "MNIST/raw",
    home: "https://ossci-datasets.s3.amazonaws.com/mnist/ (torchvision's mirror)",
};

/// The table's line.
pub(super) const ENTRY: Entry = Entry {
    name: SET.name,
    summary: "MNIST, handwritten digits of 28x28 bytes, from four IDX files (raw or .gz)",
    shape: &[1, 28, 28],
    classes: SET.classes,
    sizes: Some(Sizes {
        train: 60_000,
        test: 10_000,
    }),
    keys: &[],
    load: |request, _| SET.load(request),
};
