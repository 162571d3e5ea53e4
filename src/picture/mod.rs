//! Pictures: files become bytes, channel by channel, and photos of any size become what a
//! network takes.

mod decode;
mod folder;
mod jpeg;
mod opened;
mod photo;

pub use decode::{Changes, Picture, Reading, Resize};
pub(crate) use decode::{FORMATS, other_size};
pub(crate) use folder::{entries, is_picture, printable};
pub use photo::{Photo, Wish, pictures_in};
