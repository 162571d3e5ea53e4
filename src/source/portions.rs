//! Work on portions of a data set, side by side: what comes out does not depend on who is faster.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::Result;

/// Does `work` on every portion, on at most `threads` threads.
///
/// # Errors
/// The failure of the first portion, in their order, that fails; those after it are left undone.
pub(super) fn each<T: Send>(
    threads: usize,
    portions: impl ExactSizeIterator<Item = T> + Send,
    work: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    let helpers = threads.min(portions.len()).saturating_sub(1);
    let queue = Mutex::new(portions.enumerate());
    let (failed, first_failure) = (AtomicBool::new(false), Mutex::new(None));
    let run = || {
        // The locks are held for moments that cannot panic.
        let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        // Whatever is taken is done, so all before a failure are.
        while !failed.load(Ordering::Relaxed)
            && let Some((number, portion)) = take()
        {
            if let Err(error) = work(portion) {
                failed.store(true, Ordering::Relaxed);
                let mut first = first_failure.lock().unwrap_or_else(PoisonError::into_inner);
                // Portions are taken in order, so the first one that fails is always the same.
                if first.as_ref().is_none_or(|(before, _)| number < *before) {
                    *first = Some((number, error));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..helpers {
            // Where the system has no more threads, those that there are do the work.
            if thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
    let failure = first_failure.into_inner();
    match failure.unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::path::Path;

    #[test]
    fn the_first_failure_is_told_whoever_is_faster() {
        for threads in [1, 2, 7] {
            let mut values = vec![0; 50];
            let portions = values.chunks_mut(1).enumerate();
            let ended = each(threads, portions, |(number, value)| {
                value[0] = number;
                match number {
                    20 | 21 | 40 => Err(Error::data(Path::new("file"), number.to_string(), "")),
                    _ => Ok(()),
                }
            });
            let text = ended.unwrap_err().to_string();
            assert!(text.contains("20"), "{text}");
            assert!((0..20).all(|number| values[number] == number));
        }
    }
}
