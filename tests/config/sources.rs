//! The keys of `[data]` that only some sources have.

use wavetrain::config::{Config, Overrides, Tables};
use wavetrain::error::Error;

const LEAST: &str = "[schedule]\nbase_lr = 0.01\nmax_lr = 0.1\n";

fn read(data: &str) -> Result<Config, Error> {
    let text = format!("[data]\n{data}\n{LEAST}");
    Config::read("run.toml", &text, &Overrides::default(), &Tables::default())
}

/// What a person sees, which must show the place.
fn mistake(data: &str) -> String {
    let error = read(data).expect_err(data);
    assert!(error.is_users_mistake());
    let message = error.to_string();
    assert!(message.contains("--> run.toml:"), "{message}");
    message
}

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

#[test]
fn a_folder_of_pictures_has_its_keys() {
    let config = read("source = \"image_folder\"").unwrap();
    let written = config.to_toml();
    says(&written, &["resize = \"none\"", "test_share = 0.2"]);
    assert!(!written.contains("size = ["), "{written}");

    let keys = "size = 32\nresize = \"crop\"\ntest_share = 0.1";
    let config = read(&format!("source = \"image_folder\"\n{keys}")).unwrap();
    let written = config.to_toml();
    says(
        &written,
        &["size = [32, 32]", "resize = \"crop\"", "test_share = 0.1"],
    );
    assert_eq!(Config::parse("again", &written).unwrap().to_toml(), written);
    let oblong = read("source = \"image_folder\"\nsize = [28, 32]").unwrap();
    says(&oblong.to_toml(), &["size = [28, 32]"]);
}

#[test]
fn a_key_of_another_source_is_a_mistake() {
    for (source, key, owner) in [
        ("mnist", "size = 28", "size belongs to `image_folder`"),
        (
            "cifar10",
            "test_share = 0.5",
            "test_share belongs to `image_folder`",
        ),
        (
            "glyphs",
            "resize = \"none\"",
            "resize belongs to `image_folder`",
        ),
    ] {
        let name = key.split(' ').next().unwrap();
        let message = mistake(&format!("source = \"{source}\"\n{key}"));
        let what = format!("unknown key data.{name}; source {source} does not take it");
        says(&message, &[&what, owner]);
    }
}

#[test]
fn own_arrays_have_their_files() {
    let keys = "train = \"a.safetensors\"\ntest = \"b/c.safetensors\"";
    let config = read(&format!("source = \"safetensors\"\n{keys}")).unwrap();
    let written = config.to_toml();
    says(&written, &[keys]);
    assert_eq!(Config::parse("again", &written).unwrap().to_toml(), written);
    let message = mistake("source = \"safetensors\"\ntrain = \"\"");
    says(&message, &["data.train is empty; expected a file's path"]);
    let message = mistake("source = \"safetensors\"\ntrain = 3");
    says(
        &message,
        &["data.train is 3; expected a file's path as a string"],
    );
}

#[test]
fn values_that_do_not_fit_are_shown() {
    for (key, parts) in [
        ("size = 0", ["data.size is 0", "1 or more"]),
        ("size = [32, 0]", ["data.size[1] is 0", "1 or more"]),
        ("size = [32]", ["data.size is an array", "[height, width]"]),
        (
            "size = [1, 2, 3]",
            ["data.size is an array", "[height, width]"],
        ),
        ("size = \"32\"", ["the string \"32\"", "[height, width]"]),
        ("size = 99999999", ["data.size is 99999999", "to 16384"]),
        (
            "size = 8\nresize = \"crp\"",
            ["no way to resize", "did you mean `crop`?"],
        ),
        ("resize = \"crop\"", ["data.resize is set", "add data.size"]),
        (
            "test_share = 0.0",
            ["data.test_share is 0.0", "above 0, below 1"],
        ),
        (
            "test_share = 1",
            ["data.test_share is 1", "above 0, below 1"],
        ),
        (
            "test_share = \"a\"",
            ["data.test_share is the string", "a finite number"],
        ),
    ] {
        let message = mistake(&format!("source = \"image_folder\"\n{key}"));
        says(&message, &parts);
    }
}
