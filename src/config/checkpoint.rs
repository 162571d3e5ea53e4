//! `[checkpoint]`: when a run is kept so that it can go on, and how many of them.

use std::fmt;
use std::time::Duration;

use serde::de::value::{I64Deserializer, I128Deserializer, U64Deserializer};
use serde::de::{Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::args::{MOST, counted, whole};

/// `[checkpoint]`. It never changes what is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    /// When one is taken, besides at the end of the run.
    pub every: Every,
    /// How many are kept, the newest ones; at least 1.
    #[serde(deserialize_with = "whole::<_, _, 1, MOST>")]
    pub keep: u64,
}

/// `checkpoint.every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// At ends of epochs, never before 50 times what the last one took.
    Auto,
    /// At no time, not even at the end.
    Never,
    /// In a distance of steps.
    Steps(u64),
    /// In a distance of epochs.
    Epochs(u64),
    /// At ends of cycles of the schedule.
    Cycles(u64),
    /// As soon as so much time has passed.
    Time(Duration),
}

/// The longest time: a hundred years.
const LONGEST: u64 = 100 * 366 * 24 * 3600;

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(EveryReader)
    }
}

struct EveryReader;

impl Visitor<'_> for EveryReader {
    type Value = Every;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "\"auto\", a number of steps (500; 0 for none), or a string such as \"1 epoch\", \
             \"1 cycle\" or \"10 min\"",
        )
    }

    fn visit_i64<E: serde::de::Error>(self, steps: i64) -> Result<Every, E> {
        whole::<_, _, 0, MOST>(I64Deserializer::new(steps)).map(Every::steps)
    }

    fn visit_i128<E: serde::de::Error>(self, steps: i128) -> Result<Every, E> {
        whole::<_, _, 0, MOST>(I128Deserializer::new(steps)).map(Every::steps)
    }

    fn visit_u64<E: serde::de::Error>(self, steps: u64) -> Result<Every, E> {
        whole::<_, _, 0, MOST>(U64Deserializer::new(steps)).map(Every::steps)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Every, E> {
        parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

fn parse(text: &str) -> Option<Every> {
    if text == "auto" {
        return Some(Every::Auto);
    }
    let mut words = text.split_whitespace();
    let number: u64 = words.next()?.parse().ok()?;
    let unit = words.next().unwrap_or("steps");
    if words.next().is_some() || number > MOST {
        return None;
    }
    let time = |seconds: u64| {
        let seconds = number.checked_mul(seconds)?;
        (seconds <= LONGEST).then(|| Every::Time(Duration::from_secs(seconds)))
    };
    match unit {
        _ if number == 0 => matches!(unit, "step" | "steps").then_some(Every::Never),
        "step" | "steps" => Some(Every::Steps(number)),
        "epoch" | "epochs" => Some(Every::Epochs(number)),
        "cycle" | "cycles" => Some(Every::Cycles(number)),
        "s" => time(1),
        "min" => time(60),
        "h" => time(3600),
        _ => None,
    }
}

impl Every {
    fn steps(steps: u64) -> Self {
        match steps {
            0 => Self::Never,
            steps => Self::Steps(steps),
        }
    }
}

impl Serialize for Every {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = match self {
            Self::Auto => "auto".to_owned(),
            Self::Never => return to.serialize_u64(0),
            Self::Steps(steps) => return to.serialize_u64(*steps),
            Self::Epochs(epochs) => counted(*epochs, "epoch"),
            Self::Cycles(cycles) => counted(*cycles, "cycle"),
            Self::Time(time) => match time.as_secs() {
                seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
                seconds => format!("{seconds} s"),
            },
        };
        to.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (text, every) in [
            ("auto", Every::Auto),
            ("0", Every::Never),
            ("500", Every::Steps(500)),
            ("1 step", Every::Steps(1)),
            ("1 epoch", Every::Epochs(1)),
            ("3 epochs", Every::Epochs(3)),
            ("1 cycle", Every::Cycles(1)),
            ("10 min", Every::Time(Duration::from_secs(600))),
            ("2 h", Every::Time(Duration::from_secs(7200))),
            ("90 s", Every::Time(Duration::from_secs(90))),
        ] {
            assert_eq!(parse(text), Some(every), "{text}");
            let written = toml::Value::try_from(every).unwrap();
            let written = written.as_str().map_or(written.to_string(), str::to_owned);
            assert_eq!(parse(&written), Some(every), "{written}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "often",
            "-1",
            "1.5 epochs",
            "0 epochs",
            "0 min",
            "1 epoch 2",
            "10 minutes",
            "9999999999 h",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
