//! What is downloaded: the only place that lists it.
//!
//! Lengths and SHA-256 as TensorFlow Datasets has them (`tensorflow/datasets`:
//! `tensorflow_datasets/url_checksums/mnist.txt`, `fashion_mnist.txt` and `cifar10.txt`); of the text as
//! karpathy/char-rnn publishes it.

use super::{Archive, Collection};

/// All data sets that can be downloaded.
pub static COLLECTIONS: &[Collection<'static>] = &[MNIST, FASHION_MNIST, CIFAR10, SHAKESPEARE];

/// The data set of that name.
#[must_use]
pub fn collection(source: &str) -> Option<&'static Collection<'static>> {
    COLLECTIONS.iter().find(|entry| entry.source == source)
}

const MNIST: Collection<'static> = Collection {
    source: "mnist",
    archives: &[
        Archive {
            name: "train-images-idx3-ubyte.gz",
            bytes: 9_912_422,
            sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        },
        Archive {
            name: "train-labels-idx1-ubyte.gz",
            bytes: 28_881,
            sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        },
        Archive {
            name: "t10k-images-idx3-ubyte.gz",
            bytes: 1_648_877,
            sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        },
        Archive {
            name: "t10k-labels-idx1-ubyte.gz",
            bytes: 4_542,
            sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ],
    // The mirrors of torchvision (`torchvision/datasets/mnist.py`) and of TensorFlow Datasets.
    homes: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ],
};

const FASHION_MNIST: Collection<'static> = Collection {
    source: "fashion_mnist",
    archives: &[
        Archive {
            name: "train-images-idx3-ubyte.gz",
            bytes: 26_421_880,
            sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        },
        Archive {
            name: "train-labels-idx1-ubyte.gz",
            bytes: 29_515,
            sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        },
        Archive {
            name: "t10k-images-idx3-ubyte.gz",
            bytes: 4_422_102,
            sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        },
        Archive {
            name: "t10k-labels-idx1-ubyte.gz",
            bytes: 5_148,
            sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ],
    // The authors' repository and their bucket (README of zalandoresearch/fashion-mnist).
    homes: &[
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ],
};

const CIFAR10: Collection<'static> = Collection {
    source: "cifar10",
    archives: &[Archive {
        name: "cifar-10-binary.tar.gz",
        bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    }],
    homes: &["https://www.cs.toronto.edu/~kriz/"],
};

/// A part of Shakespeare's works, as char-rnn has it (tiny-shakespeare).
const SHAKESPEARE: Collection<'static> = Collection {
    source: "shakespeare",
    archives: &[Archive {
        name: "input.txt",
        bytes: 1_115_394,
        sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    }],
    homes: &["https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/"],
};
