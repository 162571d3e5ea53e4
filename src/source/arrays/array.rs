//! An array of numbers as files hold it: its type, its shape, its bytes.

use std::borrow::Cow;

use crate::data::{bfloat16, binary16};
use crate::error::Result;
use crate::source::part::Part;

/// Types of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Type {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    BF16,
    F32,
    F64,
}

impl Type {
    /// Its name in messages.
    pub(in crate::source) fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// Bytes of one number.
    pub(in crate::source) fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::BF16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether it is one of floats.
    pub(in crate::source) fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64)
    }

    /// Whether it is one of whole numbers.
    pub(in crate::source) fn is_whole(self) -> bool {
        !self.is_float() && self != Self::Bool
    }
}

/// An array: numbers in little-endian bytes, the last axis fastest.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::source) struct Array {
    pub(in crate::source) ty: Type,
    pub(in crate::source) shape: Vec<usize>,
    pub(in crate::source) data: Bytes,
}

/// Where the bytes of an array are.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::source) enum Bytes {
    Memory(Vec<u8>),
    /// In a file, from which they are read as they are needed.
    File(Part),
}

impl Array {
    /// The numbers in a part of a file, which are taken into memory unless `is_kept` is false.
    pub(in crate::source) fn of(
        ty: Type,
        shape: Vec<usize>,
        part: Part,
        is_kept: bool,
    ) -> Result<Self> {
        let array = Self {
            ty,
            shape,
            data: Bytes::File(part),
        };
        match is_kept {
            false => Ok(array),
            true => {
                let data = Bytes::Memory(array.bytes()?.into_owned());
                Ok(Self { data, ..array })
            }
        }
    }

    /// All bytes.
    ///
    /// # Errors
    /// A file that can no longer be read.
    pub(super) fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        match &self.data {
            Bytes::Memory(bytes) => Ok(bytes.into()),
            Bytes::File(part) => {
                let mut bytes = vec![0; part.length as usize];
                part.read(0, &mut bytes)?;
                Ok(bytes.into())
            }
        }
    }

    /// All numbers. Whole numbers of 64 bits beyond 2^53 are rounded.
    ///
    /// # Errors
    /// A file that can no longer be read.
    pub(super) fn numbers(&self) -> Result<Vec<f64>> {
        Ok(self.ty.numbers(&self.bytes()?))
    }
}

impl Type {
    /// The numbers in some bytes. Whole numbers of 64 bits beyond 2^53 are rounded.
    pub(super) fn numbers(self, data: &[u8]) -> Vec<f64> {
        fn each<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            let (words, _) = data.as_chunks::<N>();
            words.iter().map(|&word| number(word)).collect()
        }
        match self {
            Self::Bool => each(data, |[byte]| f64::from(u8::from(byte != 0))),
            Self::U8 => each(data, |[byte]| f64::from(byte)),
            Self::I8 => each(data, |word| f64::from(i8::from_le_bytes(word))),
            Self::U16 => each(data, |word| f64::from(u16::from_le_bytes(word))),
            Self::I16 => each(data, |word| f64::from(i16::from_le_bytes(word))),
            Self::U32 => each(data, |word| f64::from(u32::from_le_bytes(word))),
            Self::I32 => each(data, |word| f64::from(i32::from_le_bytes(word))),
            Self::U64 => each(data, |word| u64::from_le_bytes(word) as f64),
            Self::I64 => each(data, |word| i64::from_le_bytes(word) as f64),
            Self::F16 => each(data, |word| f64::from(binary16(u16::from_le_bytes(word)))),
            Self::BF16 => each(data, |word| f64::from(bfloat16(u16::from_le_bytes(word)))),
            Self::F32 => each(data, |word| f64::from(f32::from_le_bytes(word))),
            Self::F64 => each(data, f64::from_le_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_sixteen_bits_are_read() {
        let of = |ty, words: &[u16]| {
            let data = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let shape = vec![words.len()];
            let data = Bytes::Memory(data);
            Array { ty, shape, data }.numbers().unwrap()
        };
        let halves = of(Type::F16, &[0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x3555]);
        assert_eq!(halves[..4], [1.0, -2.0, 65504.0, 5.960_464_477_539_063e-8]);
        assert!(halves[4] == 0.0 && (halves[5] - 0.333_251_953_125).abs() < 1e-15);
        assert_eq!(
            of(Type::F16, &[0x7c00, 0xfc00]),
            [f64::INFINITY, f64::NEG_INFINITY]
        );
        assert!(of(Type::F16, &[0x7e00])[0].is_nan());
        assert_eq!(of(Type::BF16, &[0x3f80, 0xc040]), [1.0, -3.0]);
    }
}
