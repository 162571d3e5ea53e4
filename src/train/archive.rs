//! The form of a checkpoint's file: named arrays, a text, and a hash of all of it.
//!
//! It is a safetensors file, so that other programs can look into it. The text stands in its
//! metadata under [`KEY`]. The last 32 bytes are the SHA-256 of all before: the tensor [`HASH`],
//! which is the only one of bytes and therefore the last in the file.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest as _, Sha256};

use crate::model::Tensor;

/// The key of the text in the file's metadata.
const KEY: &str = "wavetrain.checkpoint";
/// The name of the hash.
const HASH: &str = "sha256";
/// Its length in bytes.
const HASH_BYTES: usize = 32;

/// What a checkpoint's file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Archive {
    /// A text, JSON by custom.
    pub(super) text: String,
    /// Arrays of f32.
    pub(super) singles: BTreeMap<String, Tensor>,
    /// Lists of f64.
    pub(super) doubles: BTreeMap<String, Vec<f64>>,
}

impl Archive {
    /// The file's bytes, the same for the same contents.
    ///
    /// # Errors
    /// A sentence, for names that appear twice.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let wrong = |error: safetensors::SafeTensorError| error.to_string();
        let zeros = [0; HASH_BYTES];
        let mut views = Vec::new();
        for (name, tensor) in &self.singles {
            let bytes = bytemuck::cast_slice(&tensor.values);
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
            views.push((name.as_str(), view.map_err(wrong)?));
        }
        for (name, values) in &self.doubles {
            let bytes = bytemuck::cast_slice(values);
            let view = TensorView::new(Dtype::F64, vec![values.len()], bytes);
            views.push((name.as_str(), view.map_err(wrong)?));
        }
        let hash = TensorView::new(Dtype::U8, vec![HASH_BYTES], &zeros);
        views.push((HASH, hash.map_err(wrong)?));
        let text = HashMap::from([(KEY.to_owned(), self.text.clone())]);
        let mut bytes = safetensors::serialize(views, Some(text)).map_err(wrong)?;
        let end = bytes.len() - HASH_BYTES;
        let hash = Sha256::digest(&bytes[..end]);
        bytes[end..].copy_from_slice(&hash);
        Ok(bytes)
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// A sentence on what is wrong with them; a single bit that differs is.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let end = bytes.len().checked_sub(HASH_BYTES);
        let whole = |end: &usize| Sha256::digest(&bytes[..*end])[..] == bytes[*end..];
        if end.filter(whole).is_none() {
            let length = bytes.len();
            return Err(format!(
                "is no whole checkpoint: its {length} bytes do not have the hash at their end"
            ));
        }
        let wrong = |error: safetensors::SafeTensorError| format!("is no checkpoint: {error}");
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(wrong)?;
        let text = metadata.metadata().as_ref().and_then(|all| all.get(KEY));
        let mut archive = Self {
            text: text.ok_or("is no checkpoint of wavetrain")?.clone(),
            ..Self::default()
        };
        for (name, view) in SafeTensors::deserialize(bytes).map_err(wrong)?.tensors() {
            match view.dtype() {
                Dtype::F32 => {
                    let tensor = Tensor {
                        shape: view.shape().to_vec(),
                        values: bytemuck::pod_collect_to_vec(view.data()),
                    };
                    archive.singles.insert(name, tensor);
                }
                Dtype::F64 => {
                    let values = bytemuck::pod_collect_to_vec(view.data());
                    archive.doubles.insert(name, values);
                }
                Dtype::U8 if name == HASH => {}
                other => return Err(format!("holds `{name}` of the type {other:?}")),
            }
        }
        Ok(archive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Archive {
        let tensor = Tensor {
            shape: vec![2, 2],
            values: vec![1.0, -0.0, f32::NAN, f32::MIN_POSITIVE / 2.0],
        };
        Archive {
            text: "{\"words\": \"sha256\"}".into(),
            singles: BTreeMap::from([("a".into(), tensor.clone()), ("zz".into(), tensor)]),
            doubles: BTreeMap::from([("sum".into(), vec![0.1, f64::INFINITY, -1e-310])]),
        }
    }

    /// Floats compare by their bits.
    fn bits(archive: &Archive) -> impl PartialEq + std::fmt::Debug + use<> {
        let singles = archive.singles.values().flat_map(|t| &t.values);
        let singles: Vec<u32> = singles.map(|value| value.to_bits()).collect();
        let doubles = archive.doubles.values().flatten();
        let doubles: Vec<u64> = doubles.map(|value| value.to_bits()).collect();
        (archive.text.clone(), singles, doubles)
    }

    #[test]
    fn what_is_written_is_read_to_the_same_bits() {
        let bytes = example().to_bytes().unwrap();
        assert_eq!(
            bits(&Archive::from_bytes(&bytes).unwrap()),
            bits(&example())
        );
        assert_eq!(example().to_bytes().unwrap(), bytes);
        // Other programs read it, too.
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("zz").unwrap().shape(), [2, 2]);
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_found() {
        let bytes = example().to_bytes().unwrap();
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Archive::from_bytes(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Archive::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Archive::from_bytes(&longer).is_err());
    }
}
