//! The table `[augment]`: what happens to pictures while they train.

use toml::de::DeValue;

use super::problem::Problem;
use super::resolve::{Problems, keep};
use super::value::{Section, Value};
use crate::data::{Augment, Padding};

/// The keys of the table.
pub(super) const KEYS: [&str; 7] = [
    "horizontal_flip",
    "shift",
    "padding",
    "rotation",
    "scale",
    "shear",
    "cutout",
];

const PADDING: [(&str, Padding); 2] = [("reflect", Padding::Reflect), ("zero", Padding::Zero)];

/// Most pixels of a shift or a cut-out: no picture is larger.
const MOST: u64 = 16_384;

/// How `augment.padding` is written.
pub(super) fn padding_name(padding: Padding) -> &'static str {
    let name = PADDING.iter().find(|(_, p)| *p == padding);
    name.map_or("reflect", |(name, _)| name)
}

pub(super) fn augment_section(section: &Section<'_, '_>) -> Result<Augment, Problems> {
    let mut problems = Problems::new();
    let flip = section.need("horizontal_flip").and_then(|value| {
        let within = |p: &f64| (0.0..=1.0).contains(p);
        number(&value, within, "a probability, from 0 to 1")
    });
    let pixels = |key| section.need(key).and_then(|value| pixels(&value));
    let (shift, cutout) = (pixels("shift"), pixels("cutout"));
    let padding = section.need("padding").and_then(|value| {
        let picked = value.pick(&PADDING, |(name, _)| name, "padding");
        picked.map(|(_, padding)| *padding)
    });
    let rotation = section.need("rotation").and_then(|value| {
        let within = |angle: &f64| (0.0..=180.0).contains(angle);
        number(
            &value,
            within,
            "the largest angle in degrees, from 0 to 180",
        )
    });
    let scale = section.need("scale").and_then(|value| scale(&value));
    let shear = section.need("shear").and_then(|value| {
        let within = |angle: &f64| (0.0..90.0).contains(angle);
        number(
            &value,
            within,
            "the largest angle in degrees, from 0, below 90",
        )
    });
    let all = (
        keep(flip, &mut problems),
        keep(shift, &mut problems),
        keep(padding, &mut problems),
        keep(rotation, &mut problems),
        keep(scale, &mut problems),
        keep(shear, &mut problems),
        keep(cutout, &mut problems),
    );
    let (
        Some(horizontal_flip),
        Some(shift),
        Some(padding),
        Some(rotation),
        Some(scale),
        Some(shear),
        Some(cutout),
    ) = all
    else {
        return Err(problems);
    };
    Ok(Augment {
        horizontal_flip,
        shift,
        padding,
        rotation,
        scale,
        shear,
        cutout,
    })
}

fn number(
    value: &Value<'_, '_>,
    within: impl Fn(&f64) -> bool,
    expected: &str,
) -> Result<f64, Problem> {
    match value.number() {
        Ok(number) if within(&number) => Ok(number),
        _ => Err(value.wrong(expected)),
    }
}

fn pixels(value: &Value<'_, '_>) -> Result<usize, Problem> {
    let pixels = value.whole_to(0, MOST)?;
    usize::try_from(pixels).map_err(|_| value.wrong("fewer pixels"))
}

/// `[0.9, 1.1]`: lowest and highest factor.
fn scale(value: &Value<'_, '_>) -> Result<[f64; 2], Problem> {
    let expected = "the lowest and the highest factor, such as [0.9, 1.1], from 0.01 to 100";
    let DeValue::Array(array) = value.value.get_ref() else {
        return Err(value.wrong(expected));
    };
    let mut factors = Vec::new();
    for (at, element) in array.iter().enumerate() {
        let element = Value {
            key: format!("{}[{at}]", value.key),
            value: element,
            texts: value.texts,
        };
        let within = |factor: &f64| (0.01..=100.0).contains(factor);
        factors.push(number(&element, within, "a factor from 0.01 to 100")?);
    }
    match factors[..] {
        [low, high] if low <= high => Ok([low, high]),
        [low, high] => Err(value.refuse(&format!(
            "is [{low}, {high}]; expected the lowest factor first"
        ))),
        _ => Err(value.refuse(&format!(
            "has {} elements; expected {expected}",
            factors.len()
        ))),
    }
}
