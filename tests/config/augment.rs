//! The table `[augment]`: what it takes, what it refuses, and that it is written back.

use wavetrain::config::presets::PRESETS;
use wavetrain::config::{Config, Overrides, Tables};
use wavetrain::data::{Augment, Padding};
use wavetrain::error::Error;

fn read(augment: &str) -> Result<Config, Error> {
    let text = format!("[augment]\n{augment}\n[schedule]\nbase_lr = 0.01\nmax_lr = 0.1\n");
    Config::read("run.toml", &text, &Overrides::default(), &Tables::default())
}

#[test]
fn everything_is_off_unless_it_is_asked_for() {
    let config = read("").unwrap();
    assert_eq!(config.augment, Augment::default());
    assert!(config.augment.is_off());
    assert_eq!(config.augment.describe(), "");
}

#[test]
fn every_key_is_read_and_written_back() {
    let all = "horizontal_flip = 0.5\nvertical_flip = 0.25\nshift = 4\npadding = \"zero\"\nrotation = 10\n\
               scale = [0.9, 1.1]\nshear = 5.5\ncutout = 8\nbrightness = 0.2\ncontrast = 0.3\nsaturation = 1.5";
    let config = read(all).unwrap();
    let expected = Augment {
        horizontal_flip: 0.5,
        vertical_flip: 0.25,
        shift: 4,
        padding: Padding::Zero,
        rotation: 10.0,
        scale: [0.9, 1.1],
        shear: 5.5,
        cutout: 8,
        brightness: 0.2,
        contrast: 0.3,
        saturation: 1.5,
    };
    assert_eq!(config.augment, expected);
    let written = config.to_toml();
    let again = Config::parse("again", &written).unwrap();
    assert_eq!(again.augment, expected);
    assert_eq!(again.to_toml(), written);
    assert_eq!(
        config.augment.describe(),
        "brightness 0.2, contrast 0.3, saturation 1.5, rotation 10°, scale 0.9 to 1.1, shear 5.5°, shift 4 (zero), horizontal flip 0.5, vertical flip 0.25, cutout 8"
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (line, part) in [
        (
            "horizontal_flip = 1.5",
            "augment.horizontal_flip is 1.5; expected a probability, from 0 to 1",
        ),
        ("horizontal_flip = true", "augment.horizontal_flip is true"),
        (
            "shift = -1",
            "augment.shift is -1; expected a whole number, 0 or more",
        ),
        ("shift = 1.5", "augment.shift is 1.5"),
        (
            "padding = \"mirror\"",
            "which is no padding; expected one of `reflect` or `zero`",
        ),
        (
            "rotation = 270",
            "augment.rotation is 270; expected the largest angle in degrees, from 0 to 180",
        ),
        ("scale = 1.1", "such as [0.9, 1.1]"),
        (
            "scale = [1.1, 0.9]",
            "is [1.1, 0.9]; expected the lowest factor first",
        ),
        (
            "scale = [0.0, 1.0]",
            "augment.scale[0] is 0.0; expected a factor from 0.01 to 100",
        ),
        ("scale = [1.0]", "has 1 elements"),
        ("shear = 90", "from 0, below 90"),
        ("cutout = \"8\"", "augment.cutout is the string"),
        (
            "brightness = -0.1",
            "augment.brightness is -0.1; expected how far a factor of the colours lies from 1 at most, from 0 to 100",
        ),
        ("contrast = 101", "augment.contrast is 101"),
        (
            "saturation = [0.5, 1.5]",
            "augment.saturation is an array; expected how far a factor",
        ),
        ("color_jitter = 0.4", "unknown key augment.color_jitter"),
        ("hue = 0.1", "`brightness`, `contrast` and `saturation`"),
        ("flip = 0.5", "unknown key augment.flip"),
        ("rotation = nan", "expected a finite number"),
    ] {
        let error = read(line).expect_err(line);
        assert!(error.is_users_mistake());
        let message = error.to_string();
        assert!(message.contains("--> run.toml:2"), "{message}");
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

/// He et al. (section 4.2) pad by 4 and flip; David Page's net mirrors 4 pixels, flips and cuts 8.
#[test]
fn the_residual_nets_are_augmented_as_published() {
    let of = |name: &str| {
        let preset = PRESETS.iter().find(|preset| preset.name == name).unwrap();
        Config::parse(name, preset.text).unwrap().augment
    };
    let flipped = Augment {
        horizontal_flip: 0.5,
        shift: 4,
        ..Augment::default()
    };
    let resnet20 = Augment {
        padding: Padding::Zero,
        ..flipped
    };
    assert_eq!(of("cifar10-resnet20"), resnet20);
    let resnet9 = Augment {
        cutout: 8,
        ..flipped
    };
    assert_eq!(of("cifar10-resnet9"), resnet9);
    assert!(of("cifar10-quick").is_off() && of("cifar10-full").is_off());
}
