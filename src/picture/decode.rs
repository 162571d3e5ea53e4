//! A picture from a file, as samples have it: bytes, channel by channel.

use super::jpeg;
use super::opened::{Opened, TOO_LARGE};
use crate::error::{Error, Result};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader,
    RgbImage,
};
use std::fs;
use std::io::{BufRead, Cursor, Seek};
use std::path::Path;

/// The files that are read.
pub(crate) const FORMATS: &str = "PNG, JPEG, WebP or BMP";

/// The bits of a channel that has more than 8, where nobody says that they are fewer.
pub(super) const DEEP: u32 = 16;

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
    /// The largest value in the file, where its channels had 16 bits, which became 8.
    pub deepest: Option<u16>,
    /// It was turned as its EXIF data say.
    pub turned: bool,
    /// Cyan, magenta, yellow and black became red, green and blue.
    pub from_cmyk: bool,
}

/// What pictures are brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// `[height, width]`; `None`: the picture's own.
    pub size: Option<[usize; 2]>,
    /// How another size comes to it.
    pub resize: Resize,
    /// The bits that count of channels of 16: 2^bits - 1 becomes 255, as does what is above. 8 to 16.
    pub bits: u32,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            size: None,
            resize: Resize::None,
            bits: DEEP,
        }
    }
}

impl Picture {
    /// Reads the picture at `path` and brings it to `form`, turned as its EXIF data say. What is
    /// inside counts, not the file's name.
    ///
    /// # Errors
    /// A file that cannot be read, that is no picture of a known kind or is cut or damaged; with
    /// [`Resize::None`], a picture of another size.
    pub fn read(path: &Path, form: Reading) -> Result<Self> {
        let decoded = read(path).and_then(|bytes| decode(&bytes, form));
        decoded.map_err(|problem| refused(path, problem))
    }

    /// Height and width of the picture at `path`, from its header, turned as its EXIF data say.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn size_of(path: &Path) -> Result<[usize; 2]> {
        let size = read(path).and_then(|bytes| {
            let mut decoder = reader(Cursor::new(&bytes))?
                .into_decoder()
                .map_err(unreadable)?;
            let turned = decoder.orientation().is_ok_and(lies);
            let (width, height) = decoder.dimensions();
            let size = [height as usize, width as usize];
            Ok(if turned { [size[1], size[0]] } else { size })
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

/// The bytes of a file; what is wrong is a sentence.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot be read: {error}"))
}

pub(super) fn refused(path: &Path, problem: String) -> Error {
    let help =
        "replace the picture or take it away; a picture is a whole PNG, JPEG, WebP or BMP file";
    let help = match problem.split_once("; expected ") {
        Some((_, expected)) if expected.contains("pixels") => {
            "set data.size to the size of the pictures, or let data.resize = \"crop\" or \
             \"stretch\" bring them to one size"
        }
        _ => help,
    };
    Error::data(path, problem, help)
}

/// Decodes a file; what is wrong with it is a sentence.
pub(super) fn open(bytes: &[u8]) -> Result<Opened, String> {
    let reader = reader(Cursor::new(bytes))?;
    let format = reader.format();
    if format == Some(ImageFormat::Jpeg) {
        return jpeg::open(bytes);
    }
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(Opened {
        image: DynamicImage::from_decoder(decoder).map_err(unreadable)?,
        orientation,
        // The colour type in a PNG file's header.
        is_palette: format == Some(ImageFormat::Png) && bytes.get(25) == Some(&3),
        is_cmyk: false,
    })
}

/// Whether a picture lies on its side: its height is the file's width.
fn lies(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(
        orientation,
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH
    )
}

/// Decodes one picture; what is wrong with it is a sentence.
fn decode(bytes: &[u8], form: Reading) -> Result<Picture, String> {
    let Opened {
        mut image,
        orientation,
        is_cmyk,
        ..
    } = open(bytes)?;
    image.apply_orientation(orientation);
    let found = [image.height() as usize, image.width() as usize];
    let wanted = form.size.unwrap_or(found);
    if form.resize == Resize::None && found != wanted {
        return Err(other_size(found, wanted));
    }
    let colour = image.color();
    let changes = Changes {
        resized_from: (found != wanted).then_some(found),
        dropped_alpha: colour.has_alpha(),
        deepest: is_deep(colour).then(|| deepest(&image)),
        turned: orientation != Orientation::NoTransforms,
        from_cmyk: is_cmyk,
    };
    let channels = if colour.has_color() { 3 } else { 1 };
    // To 8 bits and without alpha before anything is scaled, so that no colour bleeds in.
    let image = bytes_of(image, form.bits);
    let image = scaled(image, found, wanted, form.resize)?;
    Ok(Picture {
        shape: [channels, wanted[0], wanted[1]],
        values: planes(image.as_bytes(), channels),
        changes,
    })
}

/// Whether channels have more than 8 bits.
pub(super) fn is_deep(colour: ColorType) -> bool {
    colour.bytes_per_pixel() > colour.channel_count()
}

/// The largest value of a colour or of grey, of 16 bits.
fn deepest(image: &DynamicImage) -> u16 {
    let largest = match image.color().has_color() {
        true => image.to_rgb16().into_raw().into_iter().max(),
        false => image.to_luma16().into_raw().into_iter().max(),
    };
    largest.unwrap_or(0)
}

/// The picture in bytes of grey or of colours, without alpha; of deep channels `bits` bits count.
pub(super) fn bytes_of(image: DynamicImage, bits: u32) -> DynamicImage {
    let colour = image.color();
    match (is_deep(colour), colour.has_color()) {
        (false, true) => image.into_rgb8().into(),
        (false, false) => image.into_luma8().into(),
        (true, is_colour) => {
            let (width, height) = (image.width(), image.height());
            let shallow = |values: Vec<u16>| values.into_iter().map(|v| shallow(v, bits)).collect();
            let made = match is_colour {
                true => RgbImage::from_raw(width, height, shallow(image.into_rgb16().into_raw()))
                    .map(DynamicImage::from),
                false => {
                    GrayImage::from_raw(width, height, shallow(image.into_luma16().into_raw()))
                        .map(DynamicImage::from)
                }
            };
            // As many values as before, so there is always a picture.
            made.unwrap_or_default()
        }
    }
}

/// A value of which `bits` bits count, as a byte.
pub(super) fn shallow(value: u16, bits: u32) -> u8 {
    let top = (1_u32 << bits.clamp(8, DEEP)) - 1;
    ((u32::from(value).min(top) * 255 + top / 2) / top) as u8
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
        Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Bmp) => {
            Ok(reader)
        }
        Some(other) => Err(format!(
            "is a {} file; expected {FORMATS}",
            other.extensions_str().first().unwrap_or(&"foreign")
        )),
        None => Err(format!(
            "is no picture that is known here; expected {FORMATS}"
        )),
    }
}

pub(super) fn unreadable(error: ImageError) -> String {
    match error {
        ImageError::Limits(_) => TOO_LARGE.into(),
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

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        image.into().write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    fn decoded(file: &[u8]) -> Picture {
        decode(file, Reading::default()).unwrap()
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
        assert_eq!(deep.changes.deepest, Some(0xabcd));
        assert!(!deep.changes.dropped_alpha);
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
        let form = |size, resize| Reading {
            size: Some(size),
            resize,
            ..Reading::default()
        };
        let to = |resize| decode(&file, form([2, 2], resize));
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
        let narrow = decode(&file, form([4, 2], Resize::Crop)).unwrap();
        assert_eq!(narrow.values, [0, 200].repeat(4), "the middle two columns");
    }

    #[test]
    fn deep_pictures_keep_their_range() {
        assert_eq!(
            [0, 1, 0x8000, 0xffff].map(|v| shallow(v, 16)),
            [0, 0, 128, 255]
        );
        assert_eq!(
            [0, 2048, 4095, 4096].map(|v| shallow(v, 12)),
            [0, 128, 255, 255]
        );
        let deep = ImageBuffer::from_fn(2, 1, |x, _| Rgb([100, 4095 * x as u16, 7]));
        let file = encoded(deep, ImageFormat::Png);
        let twelve = Reading {
            bits: 12,
            ..Reading::default()
        };
        let picture = decode(&file, twelve).unwrap();
        assert_eq!(picture.values, [6, 6, 0, 255, 0, 0]);
        assert_eq!(picture.changes.deepest, Some(4095));
    }

    #[test]
    fn webp_and_bmp_are_read() {
        let image = RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8, 10 + y as u8, 200]));
        for format in [ImageFormat::WebP, ImageFormat::Bmp] {
            let picture = decoded(&encoded(image.clone(), format));
            let expected = [[0, 1, 2, 0, 1, 2], [10, 10, 10, 11, 11, 11], [200; 6]];
            assert_eq!(picture.values, expected.concat());
        }
    }

    /// Noise, whose files have no bytes to spare.
    fn noise() -> RgbImage {
        let mut state = 1_u32;
        RgbImage::from_fn(40, 40, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Rgb((state >> 8).to_le_bytes()[..3].try_into().unwrap())
        })
    }

    #[test]
    fn files_that_are_cut_or_damaged_are_refused_wherever_it_is() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let file = encoded(noise(), format);
            assert!(decode(&file, Reading::default()).is_ok());
            for length in (1..file.len() - 12).step_by(97).chain([file.len() - 13]) {
                let cut = &file[..length];
                let problem = decode(cut, Reading::default()).unwrap_err();
                assert!(!problem.contains('\n'), "{problem:?}");
            }
        }
        // Trailing bytes do no harm.
        let more = [&encoded(noise(), ImageFormat::Jpeg)[..], b"more"].concat();
        assert!(decode(&more, Reading::default()).is_ok());
    }

    #[test]
    fn foreign_files_are_named() {
        let problem = |file: &[u8]| decode(file, Reading::default()).unwrap_err();
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
                let form = Reading { size, resize, bits: 12 };
                if let Ok(picture) = decode(&file, form) {
                    prop_assert_eq!(picture.shape.iter().product::<usize>(), picture.values.len());
                }
            }
        }
    }
}
