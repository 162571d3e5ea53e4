//! What a run made of each test sample.

use serde::{Deserialize, Serialize};

/// For each test sample, in their order, whether it was classified rightly (1 or 0), or its loss.
///
/// Written as text: a bit a sample (`bits 6000 ff3e...`) where all are 0 or 1, or else the bytes of an
/// f32, the lowest first (`f32 6000 ...`), both in hexadecimal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Scores(Vec<f32>);

impl Scores {
    /// The scores of samples in their order.
    #[must_use]
    pub fn new(scores: Vec<f32>) -> Self {
        Self(scores)
    }

    /// The scores in the order of the samples; none of a run that diverged.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// Their mean; NaN of none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let sum: f64 = self.0.iter().map(|score| f64::from(*score)).sum();
        sum / self.0.len() as f64
    }
}

impl From<Scores> for String {
    fn from(Scores(scores): Scores) -> Self {
        let (kind, bytes): (_, Vec<u8>) = match scores.iter().all(|s| *s == 0.0 || *s == 1.0) {
            true => {
                let byte = |eight: &[f32]| {
                    let bits = eight.iter().enumerate();
                    bits.fold(0, |byte, (i, score)| byte | u8::from(*score == 1.0) << i)
                };
                ("bits", scores.chunks(8).map(byte).collect())
            }
            false => ("f32", scores.iter().flat_map(|s| s.to_le_bytes()).collect()),
        };
        let mut text = format!("{kind} {} ", scores.len());
        for byte in bytes {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from_digit(half.into(), 16).unwrap_or('0'));
            }
        }
        text
    }
}

impl TryFrom<String> for Scores {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(3, ' ').collect();
        let [kind, count, digits] = parts[..] else {
            return Err("no scores: expected a kind, a number and digits".into());
        };
        let bytes = bytes(digits).ok_or("scores that are no hexadecimal digits in pairs")?;
        let count: usize = count.parse().map_err(|_| "scores without their number")?;
        let expected = match kind {
            "bits" => Some(count.div_ceil(8)),
            "f32" => count.checked_mul(4),
            _ => None,
        };
        if expected != Some(bytes.len()) {
            return Err(format!(
                "{} bytes of scores for {count} samples ({kind})",
                bytes.len()
            ));
        }
        let float = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        Ok(Self(match kind {
            "bits" => {
                let bit = |i: usize| f32::from(bytes[i / 8] >> (i % 8) & 1);
                (0..count).map(bit).collect()
            }
            _ => bytes.chunks_exact(4).map(float).collect(),
        }))
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    let pairs = digits.chunks_exact(2);
    Some(pairs.map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_read_back_to_the_same_bits() {
        for scores in [
            vec![],
            vec![1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0],
            vec![0.25, 1e-30, f32::MAX],
        ] {
            let text = String::from(Scores::new(scores.clone()));
            assert_eq!(Scores::try_from(text).map(|s| s.0), Ok(scores));
        }
        for wrong in [
            "",
            "bits",
            "bits 9 ff",
            "bits 8 f",
            "f32 1 00",
            "x 1 00",
            "bits 8 zz",
            "bits 8 éé",
        ] {
            assert!(Scores::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
