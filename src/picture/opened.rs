//! A decoded file before anything is done to it.

use image::DynamicImage;
use image::metadata::Orientation;

/// What a picture that is too large is told.
pub(super) const TOO_LARGE: &str = "is too large: decoded it would take more than 512 MiB";

/// A decoded file, not turned yet.
pub(super) struct Opened {
    pub(super) image: DynamicImage,
    /// How it is to be turned, by its EXIF data.
    pub(super) orientation: Orientation,
    pub(super) is_palette: bool,
    pub(super) is_cmyk: bool,
}
