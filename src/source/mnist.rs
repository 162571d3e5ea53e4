//! `mnist`: handwritten digits, 60,000 and 10,000 pictures of 28x28 (LeCun, Cortes and Burges,
//! "The MNIST database of handwritten digits", 1998).

use super::glyphs::DIGITS;
use super::idx::folder::{Nothing, Set};
use super::{Entry, Source};

const SET: Set = Set {
    name: "mnist",
    title: "MNIST",
    classes: DIGITS,
    torchvision: "MNIST/raw",
    home: "https://ossci-datasets.s3.amazonaws.com/mnist/ (torchvision's mirror)",
};

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: SET.name,
    summary: "MNIST, handwritten digits of 28x28 bytes, from four IDX files (raw or .gz)",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| args.read::<Nothing>().map(|Nothing {}| Box::new(SET) as _),
};
