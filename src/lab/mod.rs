//! Questions about rates that need whole runs: [`find`] raises the rate and reads the
//! bounds of a cycle from what happens; [`compare`] trains policies side by side over seeds;
//! [`lint`] looks at a schedule together with its run, and trains nothing; [`replay`] trains a run
//! again and compares the bits; [`learned`] says of a run's end whether it shows more than guessing. What the first two say of means stands in [`student`].

pub mod compare;
pub mod find;
pub mod learned;
pub mod lint;
pub mod replay;
pub mod student;
