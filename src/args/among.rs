//! The table that an entry was chosen from, whatever its family: what is nested in an entry is chosen
//! from the same one.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::Entry;

/// A table of entries of some family.
#[derive(Clone)]
pub(super) struct Among(Arc<dyn Any + Send + Sync>);

impl Among {
    pub(super) fn new<T: ?Sized + 'static>(entries: &'static [Entry<T>]) -> Self {
        Self(Arc::new(entries))
    }

    /// The table, if it is one of the family `T`.
    pub(super) fn entries<T: ?Sized + 'static>(&self) -> Option<&'static [Entry<T>]> {
        self.0.downcast_ref::<&'static [Entry<T>]>().copied()
    }
}

impl fmt::Debug for Among {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Among")
    }
}
