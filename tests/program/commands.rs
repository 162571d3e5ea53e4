//! The commands: each `tests/program/*.trycmd` holds commands with what they print
//! and how they end. `TRYCMD=overwrite cargo test --test program commands` writes what is printed now.

#[test]
fn commands_print_what_is_written_down() {
    trycmd::TestCases::new()
        .env("NO_COLOR", "1")
        .case("tests/program/*.trycmd");
}
