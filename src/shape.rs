//! What one sample of a value is.

use std::fmt;

/// The shape of one sample. A value of `n` samples has `n * rows()` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A row of numbers: `[features]`.
    Features(usize),
    /// A picture: `[channels, height, width]`.
    Picture {
        /// Channels of a pixel.
        channels: usize,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
    },
    /// A row of numbers for each step of time: `[steps, features]`.
    Sequence {
        /// Number of steps.
        steps: usize,
        /// Numbers of a step.
        features: usize,
    },
    /// A row of tokens, numbers of symbols: `[steps]`. They are no numbers to reckon with.
    Tokens {
        /// Number of tokens.
        steps: usize,
        /// Number of symbols; each token is below it.
        symbols: usize,
    },
}

impl Shape {
    /// The shape with these dimensions, as data and files write them; nothing where a sample has
    /// none, or more than three.
    #[must_use]
    pub fn of(dims: &[usize]) -> Option<Self> {
        match *dims {
            [features] => Some(Self::Features(features)),
            [steps, features] => Some(Self::Sequence { steps, features }),
            [channels, height, width] => Some(Self::Picture {
                channels,
                height,
                width,
            }),
            _ => None,
        }
    }

    /// Its dimensions, in PyTorch's order.
    #[must_use]
    pub fn dims(&self) -> Vec<usize> {
        match *self {
            Self::Features(features) => vec![features],
            Self::Sequence { steps, features } => vec![steps, features],
            Self::Tokens { steps, .. } => vec![steps],
            Self::Picture {
                channels,
                height,
                width,
            } => vec![channels, height, width],
        }
    }

    /// Numbers of a sample; nothing where they are more than can be counted.
    #[must_use]
    pub fn checked_elements(&self) -> Option<usize> {
        let dims = self.dims();
        dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d))
    }

    /// Numbers of a sample.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.checked_elements().unwrap_or(usize::MAX)
    }

    /// Rows of a sample: one, one for each row of pixels, one for each step.
    #[must_use]
    pub fn rows(&self) -> usize {
        match *self {
            Self::Features(_) | Self::Tokens { .. } => 1,
            Self::Picture { height, .. } => height,
            Self::Sequence { steps, .. } => steps,
        }
    }

    /// Pixels of a picture; one for a list.
    #[must_use]
    pub fn plane(&self) -> usize {
        match *self {
            Self::Picture { height, width, .. } => height * width,
            Self::Features(_) | Self::Sequence { .. } | Self::Tokens { .. } => 1,
        }
    }

    /// Numbers along the last axis of a list: the features of a sample, or of a step. Of a picture,
    /// all its numbers.
    #[must_use]
    pub fn features(&self) -> usize {
        match *self {
            Self::Features(features) | Self::Sequence { features, .. } => features,
            Self::Tokens { steps, .. } => steps,
            Self::Picture { .. } => self.elements(),
        }
    }

    /// Positions of a sequence that has them: its steps. One for what is no sequence.
    #[must_use]
    pub fn positions(&self) -> usize {
        match *self {
            Self::Sequence { steps, .. } | Self::Tokens { steps, .. } => steps,
            Self::Features(_) | Self::Picture { .. } => 1,
        }
    }

    /// The same with other features along the last axis; a list for a picture.
    #[must_use]
    pub fn with_features(&self, features: usize) -> Self {
        match *self {
            Self::Sequence { steps, .. } | Self::Tokens { steps, .. } => {
                Self::Sequence { steps, features }
            }
            Self::Features(_) | Self::Picture { .. } => Self::Features(features),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Tokens { steps, symbols } = self {
            return write!(f, "[{steps}] of {symbols} symbols");
        }
        write!(f, "{:?}", self.dims())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_make_a_shape_and_a_shape_says_them_again() {
        for (dims, rows, features) in [(&[7][..], 1, 7), (&[5, 7], 5, 7), (&[2, 3, 4], 3, 24)] {
            let shape = Shape::of(dims).unwrap();
            assert_eq!(shape.dims(), dims);
            assert_eq!(shape.to_string(), format!("{dims:?}"));
            assert_eq!([shape.rows(), shape.features()], [rows, features]);
            assert_eq!(shape.elements(), dims.iter().product::<usize>());
        }
        assert_eq!(Shape::of(&[]), None);
        assert_eq!(Shape::of(&[1, 2, 3, 4]), None);
        assert_eq!(
            Shape::Features(usize::MAX).with_features(2),
            Shape::Features(2)
        );
    }
}
