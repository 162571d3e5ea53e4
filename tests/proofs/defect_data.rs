//! The defects that are planted in the shaders of the data's room: as `defect_table.rs`.

use super::stage::Defect;

/// What gathers a batch, and what changes pictures on the way.
pub(crate) static DATA: &[Defect] = &[
    Defect::new(
        "data/augment",
        "threefry_uniform(words.x) < dims.flip",
        "threefry_uniform(words.x) > dims.flip",
    ),
    Defect::new(
        "data/augment",
        "vec2<u32>(place, 1u)",
        "vec2<u32>(drawn.listed, 1u)",
    ),
    Defect::new(
        "data/augment",
        "words % (2u * dims.shift + 1u)",
        "words % (2u * dims.shift)",
    ),
    Defect::new(
        "data/augment",
        "vec2<u32>(dims.height, dims.width) + 1u - dims.cutout",
        "vec2<u32>(dims.height, dims.width) - dims.cutout",
    ),
    Defect::new("data/augment", "(8u * (place % 4u))", "(8u * (place % 3u))"),
    Defect::new("data/augment", "any(at >= size)", "any(at > size)"),
    Defect::new(
        "data/augment",
        "2u * drawn.listed + 1u].xyz",
        "2u * drawn.listed].xyz",
    ),
    Defect::new(
        "data/augment",
        "corner + vec2<i32>(0, 1)), share.y",
        "corner + vec2<i32>(0, 1)), share.x",
    ),
    Defect::new("data/augment", "abs(last - abs(at)", "abs(last - at"),
    Defect::new("data/augment", " % max(2 * last, vec2<i32>(1))", ""),
    Defect::new(
        "data/augment",
        "threefry_uniform(words.y) <",
        "threefry_uniform(words.x) <",
    ),
    Defect::new(
        "data/augment",
        "dims.height - 1u - h, drawn.vertical_flip",
        "dims.height - h, drawn.vertical_flip",
    ),
    Defect::new(
        "data/augment",
        "dims.width - 1u - w, drawn.flip",
        "dims.width - w, drawn.flip",
    ),
    Defect::new(
        "data/augment",
        "all(cut < vec2<u32>(dims.cutout))",
        "all(cut <= vec2<u32>(dims.cutout))",
    ),
    Defect::new(
        "data/augment",
        "(v - mean[d]) * scale[d]",
        "(v - mean[c]) * scale[d]",
    ),
    Defect::new("data/augment", "row < step.count", "row <= step.count"),
    Defect::new(
        "data/augment",
        "sample < step.count",
        "sample <= step.count",
    ),
    Defect::new(
        "data/augment",
        "line / dims.height, line % dims.height",
        "line % dims.channels, line / dims.channels",
    ),
    Defect::new(
        "data/augment",
        "c < dims.channels",
        "c + 1u < dims.channels",
    ),
    Defect::new("data/augment", "d < dims.cols", "d + 1u < dims.cols"),
    Defect::new("data/augment", "step.first_sample + sample", "sample"),
    Defect::new(
        "data/augment",
        "threefry_uniform(words.y), dims.contrast",
        "threefry_uniform(words.x), dims.contrast",
    ),
    Defect::new(
        "data/augment",
        "threefry_uniform(more.x), dims.saturation",
        "threefry_uniform(more.y), dims.saturation",
    ),
    Defect::new(
        "data/augment",
        "colours_blend(v, drawn.grey, drawn.contrast)",
        "colours_blend(v, 127.5, drawn.contrast)",
    ),
    Defect::new("data/augment", "greys[sample]", "greys[0]"),
    Defect::new(
        "data/augment",
        "drawn.first + 2u * plane + pixel",
        "drawn.first + plane + pixel",
    ),
    Defect::new(
        "data/augment",
        "colours_grey(red, green, blue), drawn.saturation",
        "colours_grey(blue, green, red), drawn.saturation",
    ),
    Defect::new(
        "data/augment",
        "clamp(factor * v + (1.0 - factor) * other, 0.0, 255.0)",
        "factor * v + (1.0 - factor) * other",
    ),
    Defect::new("data/augment", "low + span * uniform", "span * uniform"),
    Defect::new(
        "data/mean_grey",
        "(8u * (place % 4u))",
        "(8u * (place % 3u))",
    ),
    Defect::new(
        "data/mean_grey",
        "0.2989 * red + 0.587 * green",
        "0.299 * red + 0.587 * green",
    ),
    Defect::new("data/mean_grey", "colours_blend(v, 0.0, factor)", "v"),
    Defect::new("data/mean_grey", "step.first_sample + row", "row"),
    Defect::new("data/mean_grey", "step.start + row", "row"),
    Defect::new("data/mean_grey", "var i = local;", "var i = local + 1u;"),
    Defect::new("data/mean_grey", "i += 64u", "i += 63u"),
    Defect::new("data/mean_grey", "if dims.channels == 1u", "if true"),
    Defect::new("data/mean_grey", "2u * dims.plane + i", "dims.plane + i"),
    Defect::new("data/mean_grey", "i < 64u", "i < 63u"),
    Defect::new("data/mean_grey", "sum / f32(dims.plane)", "sum / 64.0"),
    Defect::new("data/gather_tokens", "+ step.phase", ""),
    Defect::new("data/gather_tokens", "t < dims.cols", "t <= dims.cols"),
    Defect::new(
        "data/gather_tokens",
        "row < step.count",
        "row <= step.count",
    ),
    Defect::new("data/gather_tokens", "[step.start + row]", "[row]"),
    Defect::new(
        "data/gather_steps_bytes",
        "8u * (at % 4u)",
        "8u * (at % 3u)",
    ),
    Defect::new(
        "data/gather_steps_bytes",
        "row % dims.steps * dims.cols",
        "row * dims.cols",
    ),
    Defect::new("data/gather_steps_bytes", "- mean[d]", "- mean[j]"),
    Defect::new(
        "data/gather_steps_floats",
        "sample < step.count",
        "sample <= step.count",
    ),
    Defect::new(
        "data/gather_steps_floats",
        "* dims.steps * dims.cols;",
        "* dims.cols;",
    ),
    Defect::new(
        "data/gather_steps_floats",
        "bitcast<f32>(samples[at])",
        "f32(samples[at])",
    ),
    Defect::new("data/gather_bytes", "8u * (at % 4u)", "8u * (at % 3u)"),
    Defect::new("data/gather_bytes", "if at % 4u == 0u", "if at % 2u == 0u"),
    Defect::new(
        "data/gather_bytes",
        "(word >> 16u) & 255u",
        "(word >> 8u) & 255u",
    ),
    Defect::new(
        "data/gather_bytes",
        "values(first) - mean[quad]",
        "values(first) + mean[quad]",
    ),
    Defect::new("data/gather_bytes", "row >= step.count", "row > step.count"),
    Defect::new(
        "data/gather_bytes",
        "indices[step.start + row]",
        "indices[row]",
    ),
    Defect::new(
        "data/gather_bytes",
        "row * dims.stride + quad",
        "row * quads + quad",
    ),
    Defect::new("data/gather_floats", "samples[at + 3u]", "samples[at + 2u]"),
    Defect::new("data/gather_floats", "* scale[quad]", "* scale[0]"),
    Defect::new(
        "data/gather_floats",
        "row >= step.count",
        "row > step.count",
    ),
    Defect::new(
        "data/gather_floats",
        "dims.cols + 4u * quad",
        "dims.stride * 4u + 4u * quad",
    ),
    Defect::new(
        "data/gather_pixels_bytes",
        "8u * (at % 4u)",
        "8u * (at % 3u)",
    ),
    Defect::new(
        "data/gather_pixels_bytes",
        "sample >= step.count",
        "sample > step.count",
    ),
    Defect::new(
        "data/gather_pixels_bytes",
        "quad / dims.channel_quads",
        "quad",
    ),
    Defect::new("data/gather_pixels_bytes", "- mean[d]", "- mean[c]"),
    Defect::new(
        "data/gather_pixels_bytes",
        "lane >= lanes",
        "lane + 1u >= lanes",
    ),
    Defect::new(
        "data/gather_pixels_floats",
        "bitcast<f32>(samples[at])",
        "f32(samples[at])",
    ),
    Defect::new(
        "data/gather_pixels_floats",
        "sample >= step.count",
        "sample > step.count",
    ),
    Defect::new(
        "data/gather_pixels_floats",
        "(c + lane) * plane + pixel",
        "pixel * dims.channels + c + lane",
    ),
    Defect::new(
        "data/gather_pixels_floats",
        "row / dims.height",
        "row / dims.width",
    ),
];
