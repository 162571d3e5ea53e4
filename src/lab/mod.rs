//! Questions about rates that need whole runs: [`find`] raises the rate and reads the
//! bounds of a cycle from what happens; [`compare`] trains policies side by side over seeds;
//! [`lint`] looks at a schedule together with its run, and trains nothing; [`replay`] trains a run
//! again and compares the bits. What the first two say of means stands in [`student`].

pub mod compare;
pub mod find;
pub mod lint;
pub mod replay;
pub mod student;
