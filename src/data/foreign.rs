//! Files that are taken for ones of safetensors, and are others.

/// What a file is that is none of safetensors, where its first bytes say so.
pub(crate) fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 5] = [
        (
            b"PK\x03\x04",
            "a zip archive (such as torch.save or numpy.savez write)",
        ),
        (b"\x80\x02", "a pickle (such as torch.save wrote)"),
        (b"\x80\x04", "a pickle"),
        (b"\x93NUMPY", "a NumPy file"),
        (b"\x89HDF", "an HDF5 file"),
    ];
    let kind = kinds.iter().find(|(magic, _)| bytes.starts_with(magic));
    kind.map(|(_, name)| *name)
}
