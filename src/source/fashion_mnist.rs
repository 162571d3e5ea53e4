//! `fashion_mnist`: articles of clothing in MNIST's form (Xiao, Rasul and Vollgraf,
//! "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms",
//! arXiv 1708.07747). The class names are those of its table 2.

use super::idx::folder::{Nothing, Set};
use super::{Entry, Source};

const SET: Set = Set {
    name: "fashion_mnist",
    title: "Fashion-MNIST",
    classes: &[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    torchvision: "FashionMNIST/raw",
    home: "https://github.com/zalandoresearch/fashion-mnist",
};

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: SET.name,
    summary: "Fashion-MNIST, clothing of 28x28 bytes, from four IDX files (raw or .gz)",
    arguments: &[],
    short: None,
    example: "",
    parse: |args| args.read::<Nothing>().map(|Nothing {}| Box::new(SET) as _),
};
