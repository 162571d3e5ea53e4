//! Questions about rates that need whole runs (floor 6): [`find`] raises the rate and reads the
//! bounds of a cycle from what happens.

pub mod find;
