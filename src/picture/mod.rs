//! Pictures: files become bytes, channel by channel, and photos of any size become what a
//! network takes.

mod decode;
mod folder;
mod photo;

pub(crate) use decode::other_size;
pub use decode::{Changes, Picture, Resize};
pub(crate) use folder::{entries, is_picture};
pub use photo::{Photo, Wish, pictures_in};
