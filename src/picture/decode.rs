//! A picture from a PNG or JPEG file, as samples have it: bytes, channel by channel.

use crate::error::{Error, Result};
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::path::Path;

/// How pictures come to one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", rename = "way to resize")]
pub enum Resize {
    /// Not at all: another size is an error.
    #[default]
    None,
    /// Scaled until the size is filled, and what sticks out is cut off on both sides.
    Crop,
    /// Scaled to the size, whatever becomes of the proportions.
    Stretch,
}

/// A decoded picture of grey or of red, green and blue bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `[channels, height, width]`; 1 channel (grey) or 3 (red, green, blue).
    pub shape: [usize; 3],
    /// The bytes, channel by channel, row by row.
    pub values: Vec<u8>,
    /// What was done to the picture on the way.
    pub changes: Changes,
}

/// What was done to a picture to make bytes of one size of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// The height and width in the file, where they were others.
    pub resized_from: Option<[usize; 2]>,
    /// An alpha channel was dropped; the colours behind it stay as they are in the file.
    pub dropped_alpha: bool,
    /// 16 bits for each channel became 8.
    pub reduced_depth: bool,
}

impl Picture {
    /// Reads the picture at `path` and brings it to `size` (`[height, width]`), if one is given, in
    /// the way of `resize`. What is inside counts, not the file's name.
    ///
    /// # Errors
    /// A file that cannot be read, that is neither PNG nor JPEG or is broken; with
    /// [`Resize::None`], a picture of another size.
    pub fn read(path: &Path, size: Option<[usize; 2]>, resize: Resize) -> Result<Self> {
        let file = BufReader::new(open(path)?);
        decode(file, size, resize).map_err(|problem| refused(path, problem))
    }

    /// Height and width of the picture at `path`, from its header.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn size_of(path: &Path) -> Result<[usize; 2]> {
        let size = reader(BufReader::new(open(path)?)).and_then(|reader| {
            let [width, height] = reader.into_dimensions().map_err(unreadable)?.into();
            Ok([height as usize, width as usize])
        });
        size.map_err(|problem| refused(path, problem))
    }

    /// The picture with 1 or 3 channels: grey is repeated three times; of colours the luminance is
    /// taken (ITU-R BT.601, as Pillow's `convert("L")`).
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        let [found, height, width] = self.shape;
        let values = match (found, channels) {
            (1, 3) => self.values.repeat(3),
            (3, 1) => {
                let [red, green, blue] = [0, 1, 2].map(|c| &self.values[c * height * width..]);
                let pixels = red.iter().zip(green).zip(blue).take(height * width);
                pixels.map(|((&r, &g), &b)| luminance(r, g, b)).collect()
            }
            _ => return self,
        };
        Self {
            shape: [channels, height, width],
            values,
            ..self
        }
    }
}

/// Pillow's rounding of 0.299 red + 0.587 green + 0.114 blue, in 16 fractional bits.
fn luminance(red: u8, green: u8, blue: u8) -> u8 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16) as u8
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| {
        let help = "check the name, and the permissions of the file and its folder";
        Error::data(path, format!("cannot be opened: {error}"), help)
    })
}

pub(super) fn refused(path: &Path, problem: String) -> Error {
    let help = "replace the picture or take it away; a picture is a whole PNG or JPEG file";
    let help = match problem.split_once("; expected ") {
        Some((_, expected)) if expected.contains("pixels") => {
            "set data.size to the size of the pictures, or let data.resize = \"crop\" or \
             \"stretch\" bring them to one size"
        }
        _ => help,
    };
    Error::data(path, problem, help)
}

/// Decodes one picture; what is wrong with it is a sentence.
fn decode(
    file: impl BufRead + Seek,
    size: Option<[usize; 2]>,
    resize: Resize,
) -> Result<Picture, String> {
    let decoder = reader(file)?.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    let found = [height as usize, width as usize];
    let wanted = size.unwrap_or(found);
    if resize == Resize::None && found != wanted {
        return Err(other_size(found, wanted));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    let colour = image.color();
    let changes = Changes {
        resized_from: (found != wanted).then_some(found),
        dropped_alpha: colour.has_alpha(),
        reduced_depth: colour.bytes_per_pixel() > colour.channel_count(),
    };
    // To 8 bits and without alpha before anything is scaled, so that no colour bleeds in.
    let (channels, image) = if colour.has_color() {
        (3, DynamicImage::ImageRgb8(image.into_rgb8()))
    } else {
        (1, DynamicImage::ImageLuma8(image.into_luma8()))
    };
    let image = scaled(image, found, wanted, resize)?;
    Ok(Picture {
        shape: [channels, wanted[0], wanted[1]],
        values: planes(image.as_bytes(), channels),
        changes,
    })
}

/// Says that a picture has another size (`[height, width]`) than expected.
pub(crate) fn other_size(found: [usize; 2], wanted: [usize; 2]) -> String {
    let ([h, w], [height, width]) = (found, wanted);
    format!("the picture has {w}x{h} pixels (width x height); expected {width}x{height} pixels")
}

pub(super) fn reader<F: BufRead + Seek>(file: F) -> Result<ImageReader<F>, String> {
    let reader = ImageReader::new(file)
        .with_guessed_format()
        .map_err(|error| format!("cannot be read: {error}"))?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg) => Ok(reader),
        Some(other) => Err(format!(
            "is a {} file; PNG and JPEG are read",
            other.extensions_str().first().unwrap_or(&"foreign")
        )),
        None => Err("is no picture that is known here; PNG and JPEG are read".into()),
    }
}

pub(super) fn unreadable(error: ImageError) -> String {
    match error {
        ImageError::Limits(_) => "is too large: decoded it would take more than 512 MiB".into(),
        // One decoder ends its message with a line feed.
        error => format!("cannot be decoded: {}", error.to_string().trim_end()),
    }
}

/// The picture in the wanted size. The filter averages where a picture becomes smaller, as Pillow's
/// and torchvision's bilinear one does.
pub(super) fn scaled(
    image: DynamicImage,
    found: [usize; 2],
    wanted: [usize; 2],
    resize: Resize,
) -> Result<DynamicImage, String> {
    if found == wanted {
        return Ok(image);
    }
    let [Ok(height), Ok(width)] = wanted.map(u32::try_from) else {
        return Err(other_size(found, wanted));
    };
    Ok(match resize {
        Resize::Crop => image.resize_to_fill(width, height, FilterType::Triangle),
        Resize::None | Resize::Stretch => image.resize_exact(width, height, FilterType::Triangle),
    })
}

/// Pixel by pixel becomes channel by channel.
pub(super) fn planes(pixels: &[u8], channels: usize) -> Vec<u8> {
    let plane = |channel| pixels.iter().skip(channel).step_by(channels);
    (0..channels).flat_map(plane).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba};
    use proptest::prelude::*;
    use std::io::Cursor;

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        image.into().write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    fn decoded(file: &[u8]) -> Picture {
        decode(Cursor::new(file), None, Resize::None).unwrap()
    }

    #[test]
    fn channels_come_one_after_the_other() {
        let image = RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8, 10 + y as u8, 200]));
        let picture = decoded(&encoded(image, ImageFormat::Png));
        assert_eq!(picture.shape, [3, 2, 3]);
        let expected = [[0, 1, 2, 0, 1, 2], [10, 10, 10, 11, 11, 11], [200; 6]];
        assert_eq!(picture.values, expected.concat());
        assert_eq!(picture.changes, Changes::default());
    }

    #[test]
    fn modes_become_bytes_of_grey_or_colour() {
        let grey = decoded(&encoded(
            GrayImage::from_pixel(2, 2, Luma([9])),
            ImageFormat::Png,
        ));
        assert_eq!((grey.shape, grey.values), ([1, 2, 2], vec![9; 4]));
        let deep = ImageBuffer::from_pixel(1, 1, Luma([0xabcd_u16]));
        let deep = decoded(&encoded(deep, ImageFormat::Png));
        assert_eq!(deep.values, [0xab]);
        assert!(deep.changes.reduced_depth && !deep.changes.dropped_alpha);
        let alpha = ImageBuffer::from_pixel(1, 1, Rgba([1_u8, 2, 3, 0]));
        let alpha = decoded(&encoded(alpha, ImageFormat::Png));
        assert_eq!((alpha.shape, alpha.values), ([3, 1, 1], vec![1, 2, 3]));
        assert!(alpha.changes.dropped_alpha);
        let jpeg = GrayImage::from_pixel(8, 8, Luma([100]));
        assert_eq!(decoded(&encoded(jpeg, ImageFormat::Jpeg)).shape, [1, 8, 8]);
    }

    #[test]
    fn channels_change_as_in_pillow() {
        // 0.299 * 10 + 0.587 * 200 + 0.114 * 30 = 123.81
        let picture = decoded(&encoded(
            RgbImage::from_pixel(2, 1, Rgb([10, 200, 30])),
            ImageFormat::Png,
        ));
        let grey = picture.with_channels(1);
        assert_eq!((grey.shape, &grey.values), ([1, 1, 2], &vec![124, 124]));
        let colour = grey.with_channels(3);
        assert_eq!((colour.shape, colour.values), ([3, 1, 2], vec![124; 6]));
    }

    #[test]
    fn sizes_are_kept_cropped_or_stretched() {
        // Left half 0, right half 200; twice as wide as high.
        let image = GrayImage::from_fn(8, 4, |x, _| Luma([if x < 4 { 0 } else { 200 }]));
        let file = encoded(image, ImageFormat::Png);
        let to = |resize| decode(Cursor::new(&file), Some([2, 2]), resize);
        let refused = to(Resize::None).unwrap_err();
        assert!(
            refused.contains("8x4 pixels (width x height); expected 2x2"),
            "{refused}"
        );
        let stretched = to(Resize::Stretch).unwrap();
        assert_eq!(stretched.changes.resized_from, Some([4, 8]));
        // torch.nn.functional.interpolate(x, (2, 2), mode="bilinear", antialias=True), and the
        // middle columns of (2, 4).
        assert_eq!(stretched.values, [29, 171].repeat(2));
        assert_eq!(to(Resize::Crop).unwrap().values, [25, 175].repeat(2));
        let narrow = decode(Cursor::new(&file), Some([4, 2]), Resize::Crop).unwrap();
        assert_eq!(narrow.values, [0, 200].repeat(4), "the middle two columns");
    }

    #[test]
    fn foreign_files_are_named() {
        let problem = |file: &[u8]| decode(Cursor::new(file), None, Resize::None).unwrap_err();
        assert!(problem(b"GIF89a....").contains("is a gif file"));
        assert!(problem(b"hello").contains("no picture that is known"));
        assert!(problem(b"").contains("no picture that is known"));
        let file = encoded(GrayImage::new(30, 30), ImageFormat::Png);
        assert!(problem(&file[..file.len() / 2]).contains("cannot be decoded"));
        let file = encoded(GrayImage::new(30, 30), ImageFormat::Jpeg);
        let found = problem(&file[..file.len() / 2]);
        assert!(
            found.contains("cannot be decoded") && !found.contains('\n'),
            "{found:?}"
        );
        // A header that promises 2 GB of pixels.
        let mut huge = encoded(GrayImage::new(1, 1), ImageFormat::Png);
        huge[16..24].copy_from_slice(&[0, 0, 0xb0, 0, 0, 0, 0xb0, 0]);
        let found = problem(&huge);
        assert!(
            found.contains("cannot be decoded") || found.contains("too large"),
            "{found}"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_picture_or_an_error(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            form in 0_usize..4,
            changes in prop::collection::vec((0_usize..2000, any::<u8>()), 0..6),
        ) {
            let image = RgbImage::from_fn(9, 7, |x, y| Rgb([x as u8 * 20, y as u8 * 30, 77]));
            let mut file = match form {
                0 => bytes,
                1 => [b"\x89PNG\r\n\x1a\n".as_slice(), &bytes].concat(),
                2 => encoded(image, ImageFormat::Png),
                _ => encoded(image, ImageFormat::Jpeg),
            };
            for (at, value) in changes {
                if let Some(byte) = file.get_mut(at) {
                    *byte = value;
                }
            }
            for resize in [Resize::None, Resize::Crop, Resize::Stretch] {
                let size = (resize != Resize::None).then_some([5, 3]);
                if let Ok(picture) = decode(Cursor::new(&file), size, resize) {
                    prop_assert_eq!(picture.shape.iter().product::<usize>(), picture.values.len());
                }
            }
        }
    }
}
