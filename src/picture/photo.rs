//! A picture of any size and mode as a trained network takes it, and what was done to it.

use super::decode::{
    Changes, FORMATS, Picture, Resize, bytes_of, is_deep, open, planes, read, refused, scaled,
};
use super::folder::{entries, is_picture};
use super::opened::Opened;
use crate::error::{Error, Result};
use image::DynamicImage;
use image::metadata::Orientation;
use std::path::{Path, PathBuf};

/// What is wanted of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// `[channels, height, width]` with 1 channel (grey) or 3 (red, green, blue).
    pub shape: [usize; 3],
    /// How another size comes to this one; [`Resize::None`] crops.
    pub resize: Resize,
    /// Whether the picture is read as `image_folder` reads those of a training: an alpha channel is
    /// dropped. Otherwise it is laid over white where it is transparent.
    pub as_in_training: bool,
    /// The bits that count of channels of 16, as in the training.
    pub bits: u32,
    /// Whether each value v becomes 255 - v.
    pub invert: bool,
}

/// A picture that was made to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// Height and width in the file.
    pub size: [usize; 2],
    /// Its colours in the file (`RGBA`, `16-bit grey`).
    pub mode: String,
    /// What was done to it, in order; empty where it is used as it is.
    pub changes: Vec<String>,
    /// The bytes, channel by channel, row by row.
    pub values: Vec<u8>,
    /// Whether its border is lighter than half.
    pub has_light_border: bool,
}

impl Photo {
    /// Reads the file at `path`. What is inside counts, not the file's name.
    ///
    /// # Errors
    /// A file that cannot be read, that is no picture of a known kind, or is cut or damaged.
    pub fn read(path: &Path, wish: &Wish) -> Result<Self> {
        let bytes = read(path).map_err(|problem| refused(path, problem))?;
        Self::decode(&bytes, path, wish)
    }

    /// Decodes the bytes of a file; `path` names it in errors.
    ///
    /// # Errors
    /// As [`Photo::read`].
    pub fn decode(bytes: &[u8], path: &Path, wish: &Wish) -> Result<Self> {
        decode(bytes, wish).map_err(|problem| refused(path, problem))
    }
}

/// The pictures that lie in `folder` itself, by name.
///
/// # Errors
/// A folder that cannot be listed or holds no picture.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let found = entries(folder)?.into_iter().map(|entry| entry.path());
    let found: Vec<PathBuf> = found.filter(|p| p.is_file() && is_picture(p)).collect();
    match found.is_empty() {
        false => Ok(found),
        true => Err(Error::data(
            folder,
            format!("holds no picture; expected {FORMATS} files"),
            "name the pictures, or the folder in which they lie",
        )),
    }
}

fn decode(bytes: &[u8], wish: &Wish) -> Result<Photo, String> {
    let Opened {
        image,
        orientation,
        is_palette,
        is_cmyk,
    } = open(bytes)?;
    let (width, height) = (image.width(), image.height());
    let mode = match is_cmyk {
        true => "CMYK".to_owned(),
        false => mode(&image, is_palette),
    };
    let mut changes = Vec::new();
    if is_cmyk {
        changes.push("CMYK made RGB".into());
    }
    let image = turned(image, orientation, &mut changes);
    let image = opaque(image, wish, &mut changes);
    let is_grey = !image.color().has_color();
    let picture = fitted(image, is_grey, wish, &mut changes)?;
    let picture = match (is_grey, wish.shape[0]) {
        (true, 3) => {
            changes.push("grey in all three channels".into());
            picture.with_channels(3)
        }
        (false, 1) => {
            changes.push("made grey".into());
            picture.with_channels(1)
        }
        _ => picture,
    };
    let mut values = picture.values;
    if wish.invert {
        changes.push("inverted".into());
        values.iter_mut().for_each(|value| *value = 255 - *value);
    }
    Ok(Photo {
        size: [height as usize, width as usize],
        mode,
        changes,
        has_light_border: has_light_border(&values, wish.shape),
        values,
    })
}

/// The colours of a file.
fn mode(image: &DynamicImage, is_palette: bool) -> String {
    let colour = image.color();
    let name = match (is_palette, colour.has_color(), colour.has_alpha()) {
        (true, _, false) => "palette",
        (true, _, true) => "palette with alpha",
        (false, true, false) => "RGB",
        (false, true, true) => "RGBA",
        (false, false, false) => "grey",
        (false, false, true) => "grey with alpha",
    };
    let depth = 8 * usize::from(colour.bytes_per_pixel()) / usize::from(colour.channel_count());
    match depth {
        8 => name.to_owned(),
        depth => format!("{depth}-bit {name}"),
    }
}

fn turned(
    mut image: DynamicImage,
    orientation: Orientation,
    changes: &mut Vec<String>,
) -> DynamicImage {
    if orientation != Orientation::NoTransforms {
        image.apply_orientation(orientation);
        changes.push("turned as its EXIF data say".into());
    }
    image
}

/// Eight bits for each channel, grey or colour, without alpha.
fn opaque(image: DynamicImage, wish: &Wish, changes: &mut Vec<String>) -> DynamicImage {
    let colour = image.color();
    if is_deep(colour) {
        changes.push(match wish.bits {
            16 => "reduced to 8 bits".into(),
            bits => format!("reduced from {bits} to 8 bits"),
        });
    }
    if !colour.has_alpha() {
        return bytes_of(image, wish.bits);
    }
    if wish.as_in_training {
        changes.push("alpha dropped, as in the training".into());
        return bytes_of(image, wish.bits);
    }
    let over_white = |value: u8, alpha: u8| {
        let [value, alpha] = [value, alpha].map(u32::from);
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let mut pixels = image.into_rgba8();
    if pixels.pixels().any(|pixel| pixel.0[3] < 255) {
        changes.push("laid over white".into());
        for pixel in pixels.pixels_mut() {
            let [red, green, blue, alpha] = pixel.0;
            pixel.0 = [red, green, blue, 255].map(|value| over_white(value, alpha));
            pixel.0[3] = 255;
        }
    }
    let pixels = DynamicImage::ImageRgba8(pixels);
    match colour.has_color() {
        true => DynamicImage::ImageRgb8(pixels.into_rgb8()),
        // Grey has three equal channels here.
        false => DynamicImage::ImageLuma8(pixels.into_luma8()),
    }
}

/// The picture in the wished size.
fn fitted(
    image: DynamicImage,
    is_grey: bool,
    wish: &Wish,
    changes: &mut Vec<String>,
) -> Result<Picture, String> {
    let [_, height, width] = wish.shape;
    let found = [image.height() as usize, image.width() as usize];
    let (resize, how) = match wish.resize {
        Resize::Stretch => (Resize::Stretch, "stretched"),
        Resize::None | Resize::Crop if found[0] * width == found[1] * height => {
            (Resize::Crop, "scaled")
        }
        Resize::None | Resize::Crop => (Resize::Crop, "scaled and cropped"),
    };
    if found != [height, width] {
        changes.push(format!("{how} to {width}x{height}"));
    }
    let image = scaled(image, found, [height, width], resize)?;
    let channels = if is_grey { 1 } else { 3 };
    Ok(Picture {
        shape: [channels, height, width],
        values: planes(image.as_bytes(), channels),
        changes: Changes::default(),
    })
}

fn has_light_border(values: &[u8], [channels, height, width]: [usize; 3]) -> bool {
    let (mut sum, mut count) = (0_u64, 0_u64);
    for (i, value) in values.iter().enumerate().take(channels * height * width) {
        let (y, x) = (i / width % height, i % width);
        if y == 0 || x == 0 || y + 1 == height || x + 1 == width {
            sum += u64::from(*value);
            count += 1;
        }
    }
    2 * sum > 255 * count
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
    use std::io::Cursor;

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        image.into().write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    fn wish(shape: [usize; 3]) -> Wish {
        Wish {
            shape,
            resize: Resize::None,
            as_in_training: false,
            bits: 16,
            invert: false,
        }
    }

    fn png(image: impl Into<DynamicImage>, wish: &Wish) -> Photo {
        decode(&encoded(image, ImageFormat::Png), wish).unwrap()
    }

    #[test]
    fn a_picture_that_fits_stays_as_it_is() {
        let image = RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8, 10 + y as u8, 200]));
        let photo = png(image, &wish([3, 2, 3]));
        assert_eq!((photo.mode.as_str(), photo.size), ("RGB", [2, 3]));
        assert!(photo.changes.is_empty());
        let expected = [[0, 1, 2, 0, 1, 2], [10, 10, 10, 11, 11, 11], [200; 6]];
        assert_eq!(photo.values, expected.concat());
    }

    #[test]
    fn transparent_pixels_show_white_or_what_the_training_saw() {
        let image =
            RgbaImage::from_fn(2, 1, |x, _| Rgba([10, 20, 30, if x == 0 { 0 } else { 51 }]));
        let photo = png(image.clone(), &wish([3, 1, 2]));
        // 51 / 255 is a fifth: 10 / 5 + 204 and so on.
        assert_eq!(photo.values, [255, 206, 255, 208, 255, 210]);
        assert_eq!(photo.changes, ["laid over white"]);
        let as_trained = Wish {
            as_in_training: true,
            ..wish([3, 1, 2])
        };
        let photo = png(image, &as_trained);
        assert_eq!(photo.values, [10, 10, 20, 20, 30, 30]);
        assert_eq!(photo.changes, ["alpha dropped, as in the training"]);
        let grey = ImageBuffer::from_pixel(1, 1, LumaA([100_u8, 0]));
        let photo = png(grey, &wish([1, 1, 1]));
        assert_eq!(
            (photo.mode.as_str(), photo.values[0]),
            ("grey with alpha", 255)
        );
    }

    #[test]
    fn depth_colour_and_sign_change_and_say_so() {
        let deep = ImageBuffer::from_pixel(1, 1, Luma([0xabcd_u16]));
        let photo = png(deep, &wish([3, 1, 1]));
        assert_eq!(
            (photo.mode.as_str(), &photo.values[..]),
            ("16-bit grey", &[0xab; 3][..])
        );
        assert_eq!(
            photo.changes,
            ["reduced to 8 bits", "grey in all three channels"]
        );
        let negative = Wish {
            invert: true,
            ..wish([1, 1, 2])
        };
        let photo = png(RgbImage::from_pixel(2, 1, Rgb([10, 200, 30])), &negative);
        assert_eq!(photo.values, [255 - 124; 2]);
        assert_eq!(photo.changes, ["made grey", "inverted"]);
    }

    #[test]
    fn another_size_is_cropped_scaled_or_stretched() {
        let image = GrayImage::from_fn(8, 4, |x, _| Luma([if x < 4 { 0 } else { 200 }]));
        let photo = png(image.clone(), &wish([1, 2, 2]));
        assert_eq!(photo.values, [25, 175].repeat(2));
        assert_eq!(photo.changes, ["scaled and cropped to 2x2"]);
        assert_eq!(
            png(image.clone(), &wish([1, 2, 4])).changes,
            ["scaled to 4x2"]
        );
        let stretch = Wish {
            resize: Resize::Stretch,
            ..wish([1, 2, 2])
        };
        let photo = png(image, &stretch);
        assert_eq!(photo.values, [29, 171].repeat(2));
        assert_eq!(photo.changes, ["stretched to 2x2"]);
    }

    /// A JPEG with an EXIF segment that says `orientation`.
    fn oriented(image: GrayImage, orientation: u8) -> Vec<u8> {
        let jpeg = encoded(image, ImageFormat::Jpeg);
        let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        let length = (exif.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn photos_are_turned_upright() {
        // Dark above, light below; 6 means: to be turned clockwise, so dark goes to the right.
        let image = GrayImage::from_fn(16, 16, |_, y| Luma([if y < 8 { 0 } else { 250 }]));
        let file = oriented(image, 6);
        let photo = decode(&file, &wish([1, 16, 16])).unwrap();
        assert_eq!(photo.changes, ["turned as its EXIF data say"]);
        assert!(photo.values[0] > 200 && photo.values[15] < 50);
        let as_trained = Wish {
            as_in_training: true,
            ..wish([1, 16, 16])
        };
        assert_eq!(decode(&file, &as_trained).unwrap(), photo);
    }

    #[test]
    fn a_light_border_is_seen() {
        let paper = GrayImage::from_fn(5, 5, |x, _| Luma([if x == 2 { 0 } else { 240 }]));
        assert!(png(paper, &wish([1, 5, 5])).has_light_border);
        let slate = GrayImage::from_fn(5, 5, |x, _| Luma([if x == 2 { 240 } else { 0 }]));
        assert!(!png(slate, &wish([1, 5, 5])).has_light_border);
    }
}
