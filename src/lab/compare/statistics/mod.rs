//! What the runs of a comparison show, and no more.
//!
//! Runs of one seed share initial weights and order, and all runs answer the same test samples, so a
//! variant is compared with the baseline pair by pair. Two independent sources of chance are added: the
//! seeds and the test samples (as in studies with readers and cases: Obuchowski and Rockette,
//! Communications in Statistics 24, 1995; Hillis, Statistics in Medicine 26, 2007), with degrees of
//! freedom after Satterthwaite (Biometrics Bulletin 2, 1946). Each contrast has its own variance
//! ([`contrast`]). All contrasts and all their verdicts together are wrong in at most 5 % of
//! comparisons: the 5 % are shared out over the looks at the data ([`looks`]) and the contrasts
//! (Bonferroni). At a contrast's share, `better` and `worse` are read from a two-sided interval, and
//! `as good` from two one-sided tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15,
//! 1987): of these claims at most one direction can be false, so they need no further share
//! ([`verdict`]).

pub mod contrast;
pub mod divergence;
pub mod looks;
pub mod needed;
pub mod saved;
pub mod verdict;

pub use crate::lab::student::Interval;
pub use contrast::{Contrast, Differences};
pub use divergence::Divergence;
pub use looks::{ERROR, LOOKS, PlannedLook};
pub use needed::Needed;
pub use saved::{Reached, Saved};
pub use verdict::{ContrastVerdict, Judgement};
