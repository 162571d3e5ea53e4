//! What is said while a data set is loaded or fetched.

/// What happens while a source loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading<'a> {
    /// `done` of `total` pieces are done; the first call has 0, the last one `total`.
    Progress {
        /// `decoding pictures`: what is done with each.
        doing: &'a str,
        /// Pieces that are done.
        done: usize,
        /// All pieces.
        total: usize,
    },
    /// Something that a person should know about the samples, a sentence.
    Note(&'a str),
}

/// Who is told what happens while a source loads, maybe from several threads.
pub type Watcher<'a> = &'a (dyn Fn(Loading<'_>) + Sync);
