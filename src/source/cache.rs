//! Where samples that are made from files are kept: `data.cache`.

use serde::{Deserialize, Serialize};

/// `data.cache`. The samples are the same bits wherever they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename = "cache")]
pub enum Cache {
    /// In memory up to 1 GiB, on the disk beyond that.
    #[default]
    Auto,
    /// In memory.
    Memory,
    /// In a file in the cache folder, from which they are read as they are needed. It is used again as
    /// long as the files that it was made from are as they were.
    Disk,
    /// Nowhere: pictures are decoded each time they are needed.
    None,
}

/// Bytes that [`Cache::Auto`] keeps in memory.
const IN_MEMORY: u64 = 1 << 30;

impl Cache {
    /// Where so many bytes are kept: never [`Cache::Auto`].
    #[must_use]
    pub fn of(self, bytes: u64) -> Self {
        match self {
            Self::Auto if bytes <= IN_MEMORY => Self::Memory,
            Self::Auto => Self::Disk,
            chosen => chosen,
        }
    }
}
