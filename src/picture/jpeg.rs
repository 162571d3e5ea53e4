//! JPEG files, which are whole or refused. The decoder of `image` fills what is missing with grey.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::opened::{Opened, TOO_LARGE};

/// Most bytes of a decoded picture, as for other files.
const MOST_BYTES: usize = 512 << 20;

/// Decodes a whole JPEG file; what is wrong with it is a sentence.
pub(super) fn open(bytes: &[u8]) -> Result<Opened, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let refused = |error: zune_jpeg::errors::DecodeErrors| {
        let error = error.to_string();
        let line = error.lines().collect::<Vec<_>>().join(" ");
        format!(
            "cannot be decoded: the JPEG file is cut or damaged ({})",
            line.trim()
        )
    };
    decoder.decode_headers().map_err(refused)?;
    let (Some((width, height)), Some(colours)) = (decoder.dimensions(), decoder.input_colorspace())
    else {
        return Err("cannot be decoded: the JPEG file has no picture".into());
    };
    let is_grey = colours == ColorSpace::Luma;
    let (space, channels) = match is_grey {
        true => (ColorSpace::Luma, 1),
        false => (ColorSpace::RGB, 3),
    };
    if width.saturating_mul(height).saturating_mul(channels) > MOST_BYTES {
        return Err(TOO_LARGE.into());
    }
    if !has_end(bytes) {
        return Err("cannot be decoded: the JPEG file is cut, it has no end".into());
    }
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let pixels = decoder.decode().map_err(refused)?;
    let (w, h) = (width as u32, height as u32);
    let image = match is_grey {
        true => GrayImage::from_raw(w, h, pixels).map(DynamicImage::from),
        false => RgbImage::from_raw(w, h, pixels).map(DynamicImage::from),
    };
    let orientation = decoder
        .exif()
        .and_then(|exif| Orientation::from_exif_chunk(exif));
    Ok(Opened {
        image: image.ok_or("cannot be decoded: the JPEG file has too few pixels")?,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        is_palette: false,
        is_cmyk: matches!(colours, ColorSpace::CMYK | ColorSpace::YCCK),
    })
}

/// Whether the end marker stands behind the first scan: those of thumbnails stand before it.
fn has_end(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END: u8 = 0xd9;
    let mut at = 2;
    loop {
        match bytes.get(at..at + 4) {
            Some(&[0xff, START_OF_SCAN, ..]) => break,
            // A marker may be filled up with 0xff.
            Some(&[0xff, 0xff, ..]) => at += 1,
            Some(&[0xff, _, high, low]) => at += 2 + usize::from(u16::from_be_bytes([high, low])),
            // Bytes between segments, over which the decoder goes, too.
            Some(_) => at += 1,
            None => return false,
        }
    }
    bytes[at..].windows(2).any(|pair| pair == [0xff, END])
}
