//! Samples that are read from the file that they are in, as they are needed.

use super::array::{Array, Bytes, Type};
use super::{Lost, finite};
use crate::data::{Inputs, Storage};
use crate::error::Result;
use crate::source::part::Part;

/// The rows of an array in a file.
#[derive(Debug, PartialEq)]
pub(super) struct FileRows {
    part: Part,
    ty: Type,
    /// Shape of one row.
    shape: Vec<usize>,
    count: usize,
    /// CRC-32 of all of them, as samples have them.
    checksum: u32,
}

/// Bytes that are looked through at a time.
const BLOCK: usize = 1 << 20;

impl FileRows {
    /// Goes through all rows of `x`: they must be finite numbers; tells what does not survive in 32 bits.
    /// Nothing where its bytes are in memory.
    ///
    /// # Errors
    /// What is wrong with them, in a sentence.
    pub(super) fn new(x: &Array) -> Result<Option<(Self, Lost)>, String> {
        let Bytes::File(part) = &x.data else {
            return Ok(None);
        };
        let mut rows = Self {
            part: part.clone(),
            ty: x.ty,
            shape: x.shape[1..].to_vec(),
            count: x.shape[0],
            checksum: 0,
        };
        let (mut hash, mut lost) = (crc32fast::Hasher::new(), Lost::default());
        let elements = rows.elements();
        let width = (elements * rows.ty.size()).max(1);
        let block = (BLOCK / width).max(1);
        let mut raw = vec![0; block.min(rows.count) * width];
        for first in (0..rows.count).step_by(block) {
            let count = block.min(rows.count - first);
            let raw = &mut raw[..count * width];
            part.read((first * width) as u64, raw)
                .map_err(|error| error.to_string())?;
            if rows.ty == Type::U8 {
                hash.update(raw);
                continue;
            }
            let numbers = rows.ty.numbers(raw);
            let values = finite(&numbers, "x", [first * elements, elements], &mut lost)?;
            hash.update(bytemuck::cast_slice(&values));
        }
        rows.checksum = hash.finalize();
        Ok(Some((rows, lost)))
    }

    fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Inputs for FileRows {
    fn len(&self) -> usize {
        self.count
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn storage(&self) -> Storage {
        match self.ty {
            Type::U8 => Storage::Bytes,
            _ => Storage::Floats,
        }
    }

    fn read(&self, indices: &[u32], into: &mut [u8]) -> Result<()> {
        let width = self.elements() * self.ty.size();
        let bytes = self.elements() * self.storage().size();
        let mut rest = into;
        // Rows that follow each other are read at once.
        for run in indices.chunk_by(|a, b| a + 1 == *b) {
            let (into, behind) = rest.split_at_mut(run.len() * bytes);
            rest = behind;
            let at = u64::from(run[0]) * width as u64;
            if matches!(self.ty, Type::U8 | Type::F32) && cfg!(target_endian = "little") {
                self.part.read(at, into)?;
                continue;
            }
            let mut raw = vec![0; run.len() * width];
            self.part.read(at, &mut raw)?;
            if self.ty == Type::U8 {
                into.copy_from_slice(&raw);
                continue;
            }
            let numbers = self.ty.numbers(&raw).into_iter();
            let values: Vec<f32> = numbers.map(|number| number as f32).collect();
            into.copy_from_slice(bytemuck::cast_slice(&values));
        }
        Ok(())
    }

    fn checksum(&self) -> Option<u32> {
        Some(self.checksum)
    }

    fn residence(&self) -> &'static str {
        "in their file"
    }
}
