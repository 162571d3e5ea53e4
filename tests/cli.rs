//! The program as a person meets it: each `tests/cli/*.trycmd` holds commands with what they print
//! and how they end. `TRYCMD=overwrite cargo test --test cli` writes what is printed now.
#![allow(missing_docs)]

#[test]
fn commands_print_what_is_written_down() {
    trycmd::TestCases::new()
        .env("NO_COLOR", "1")
        .case("tests/cli/*.trycmd");
}
