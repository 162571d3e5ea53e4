//! What arguments may refer to beyond their own text: lengths of the run, bounds of its rates.

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::MOST;

/// What is known about the run that an entry is made for. `"4 epochs"` and `"auto"` are read with
/// its help ([`Args::within`](super::Args::within)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scope {
    /// Steps in an epoch, at least 1, where that is known.
    pub steps_per_epoch: Option<u64>,
    /// Steps of the run, or of the part of it that the entry is for: the default of arguments such
    /// as `total_steps`.
    pub total_steps: u64,
    /// What `"auto"` stands for: the low and the high rate; `None` before a range test found them.
    pub bounds: Option<[f64; 2]>,
}

impl Scope {
    /// The same run, seen by a part of `total_steps` steps.
    #[must_use]
    pub fn part(self, total_steps: u64) -> Self {
        Self {
            total_steps,
            ..self
        }
    }
}

/// An argument that is a number of steps: `500`, `"500 steps"`, and in a known run (see [`Scope`])
/// `"4 epochs"` or `"0.5 epochs"`, which become the nearest whole number of steps, at least 1.
///
/// ```
/// use serde::Deserialize;
/// use wavetrain::args::{Args, Scope, Steps};
///
/// #[derive(Deserialize)]
/// struct Ramp {
///     length: Steps,
/// }
///
/// let run = Scope { steps_per_epoch: Some(157), total_steps: 1256, bounds: None };
/// let args = Args::parse("length = \"2 epochs\"")?.within(run);
/// assert_eq!(args.read::<Ramp>()?.length.get(), 314);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Steps(u64);

impl Steps {
    /// The number of steps.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

/// A length in a string.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stretch {
    Steps(u64),
    Epochs(f64),
}

impl Stretch {
    /// `500 steps`, `4 epochs`, `0.5 epochs`; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (number, unit) = (words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        match unit {
            "step" | "steps" => {
                let steps = number.parse().ok().filter(|steps| *steps <= MOST)?;
                Some(Self::Steps(steps))
            }
            "epoch" | "epochs" => {
                let epochs: f64 = number.parse().ok()?;
                (epochs >= 0.0 && epochs.is_finite()).then_some(Self::Epochs(epochs))
            }
            _ => None,
        }
    }

    /// In steps, where an epoch has `per_epoch`; `None` beyond what TOML can write.
    pub(super) fn steps(self, per_epoch: u64) -> Option<u64> {
        match self {
            Self::Steps(steps) => Some(steps),
            // Whole epochs are exact at any size.
            Self::Epochs(epochs) if epochs.fract() == 0.0 && epochs <= MOST as f64 => {
                let steps = (epochs as u64).checked_mul(per_epoch)?;
                (steps <= MOST).then_some(steps)
            }
            Self::Epochs(epochs) => {
                let steps = (epochs * per_epoch as f64).round().max(1.0);
                (steps < MOST as f64).then_some(steps as u64)
            }
        }
    }
}

const EXPECTED: &str = "a whole number of steps (500) or a string such as \"4 epochs\", \"0.5 epochs\" or \"500 steps\"";

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Steps;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Steps, E> {
        Ok(Steps(n))
    }

    /// A negative number is refused in words that need no knowledge of Rust.
    fn visit_i64<E: Error>(self, n: i64) -> Result<Steps, E> {
        u64::try_from(n).map(Steps).map_err(|_| {
            E::custom(format!(
                "is {n}; expected a whole number of steps, at least 1"
            ))
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Steps, E> {
        match Stretch::parse(text) {
            Some(Stretch::Steps(steps)) => Ok(Steps(steps)),
            Some(Stretch::Epochs(_)) => Err(E::custom(format!(
                "is {text:?}, and how many steps that is cannot be told here; expected a whole \
                 number of steps"
            ))),
            None => Err(E::custom(format!("is {text:?}; expected {EXPECTED}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_steps_or_epochs() {
        let steps = |text| Stretch::parse(text).and_then(|stretch| stretch.steps(157));
        assert_eq!(steps("500 steps"), Some(500));
        assert_eq!(steps("1 step"), Some(1));
        assert_eq!(steps("4 epochs"), Some(628));
        assert_eq!(steps(" 0.5  epochs "), Some(79));
        assert_eq!(steps("1e1 epochs"), Some(1570));
        // A share of an epoch is at least a step; none at all stays none, for whoever refuses it.
        assert_eq!(steps("0.001 epochs"), Some(1));
        assert_eq!(steps("0 epochs"), Some(0));
        for wrong in [
            "4",
            "epochs",
            "4 epoch s",
            "-1 epochs",
            "nan epochs",
            "inf epochs",
            "0.5 steps",
            "-3 steps",
            "9223372036854775808 steps",
            "1e300 epochs",
            "9e18 epochs",
            "2 hours",
            "",
        ] {
            assert_eq!(steps(wrong), None, "{wrong}");
        }
        let exact = Stretch::parse("9007199254740992 epochs").and_then(|s| s.steps(3));
        assert_eq!(exact, Some(27_021_597_764_222_976));
    }
}
