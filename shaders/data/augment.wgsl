// The batch of a training step from pictures that are changed at random.
//
// x[r][c][h][w] = (a[c][h'][w'] - mean[d]) * scale[d] with d = (c height + h) width + w, and 0 in the
// square that is cut out. (h', w') is (h, w) after flips and shift; a is the picture turned: a[c][h'][w'] =
// the picture at place (w', h', 1), bilinear between its pixels. Beyond its edge a picture is 0, before
// it is normalised, or with `reflect` mirrored as often as it takes. Samples from `step.count` on are 0.
//
// Where `colours` is set, a picture's values v are changed first, pixel by pixel, each time within 0 and
// 255: v = b v; v = c v + (1 - c) mean grey of the sample; v = s v + (1 - s) grey of the pixel; with the
// factors b, c, s of brightness, contrast and saturation. These pictures are bytes of one or three channels.
//
// Invocation i owns four neighbouring elements: of a list of features (entry `features`) those from
// 4 quad on, of pixels of channels (entry `pixels`) four channels of one pixel; quad i % quads of row
// i / quads, with quads = ceil(cols / 4). x has rows of `stride` vec4s; padding stays 0.
// `samples` are bytes, four to a word, the lowest first, or the bits of floats. `places` has two vec4s
// for each listed sample: what column and row of a turned pixel come from; unused if nothing turns.
// `greys` has the mean grey of each sample of the batch; unused if no contrast changes.
// The random words are T(step.key_augment; place in the update, draw): draw 0 flips (left to right, top to bottom), 1 shifts, 2 cuts out,
// 5 is for brightness and contrast, 6 for saturation.
// Rust twin: `Augment` in src/data/augment.rs and src/data/colours.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    channels: u32,
    channel_quads: u32,
    height: u32,
    width: u32,
    // Whether samples are floats, pictures are mirrored beyond the edge, pictures are turned: 1 or 0.
    floats: u32,
    reflect: u32,
    affine: u32,
    // Probabilities of the flips, most pixels of a shift, side of the square that is cut out.
    flip: f32,
    vertical_flip: f32,
    shift: u32,
    cutout: u32,
    // Whether colours change; the lowest factor of each change, and its span: 0 where it is off.
    colours: u32,
    brightness: f32,
    brightness_span: f32,
    contrast: f32,
    contrast_span: f32,
    saturation: f32,
    saturation_span: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> samples: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> places: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> mean: array<f32>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<storage, read> greys: array<f32>;
@group(0) @binding(7) var<storage, read_write> x: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

// What is drawn for a sample.
struct Draw {
    flip: bool,
    vertical_flip: bool,
    shift: vec2<i32>,
    // First row and column that are cut out.
    cutout: vec2<u32>,
    // Where the sample's values start, and its place in the list.
    first: u32,
    listed: u32,
    // Factors of brightness, contrast and saturation, and the mean that contrast blends with.
    brightness: f32,
    contrast: f32,
    saturation: f32,
    grey: f32,
}

fn draw(sample: u32) -> Draw {
    let listed = step.start + sample;
    let place = step.first_sample + sample;
    let first = indices[listed] * dims.channels * dims.height * dims.width;
    var drawn = Draw(false, false, vec2<i32>(0), vec2<u32>(0u), first, listed, 1.0, 1.0, 1.0, 0.0);
    if dims.flip > 0.0 || dims.vertical_flip > 0.0 {
        let words = threefry(step.key_augment, vec2<u32>(place, 0u));
        drawn.flip = threefry_uniform(words.x) < dims.flip;
        drawn.vertical_flip = threefry_uniform(words.y) < dims.vertical_flip;
    }
    if dims.shift > 0u {
        let words = threefry(step.key_augment, vec2<u32>(place, 1u));
        drawn.shift = vec2<i32>(words % (2u * dims.shift + 1u)) - i32(dims.shift);
    }
    if dims.cutout > 0u {
        let words = threefry(step.key_augment, vec2<u32>(place, 2u));
        drawn.cutout = words % (vec2<u32>(dims.height, dims.width) + 1u - dims.cutout);
    }
    if dims.colours == 1u {
        let words = threefry(step.key_augment, vec2<u32>(place, 5u));
        let more = threefry(step.key_augment, vec2<u32>(place, 6u));
        drawn.brightness = colours_factor(threefry_uniform(words.x), dims.brightness, dims.brightness_span);
        drawn.contrast = colours_factor(threefry_uniform(words.y), dims.contrast, dims.contrast_span);
        drawn.saturation = colours_factor(threefry_uniform(more.x), dims.saturation, dims.saturation_span);
        if dims.contrast_span > 0.0 {
            drawn.grey = greys[sample];
        }
    }
    return drawn;
}

// The value at `place` of the samples.
fn stored(place: u32) -> f32 {
    if dims.floats == 1u {
        return bitcast<f32>(samples[place]);
    }
    return f32((samples[place / 4u] >> (8u * (place % 4u))) & 255u);
}

// The same after brightness and contrast.
fn contrasted(drawn: Draw, place: u32) -> f32 {
    let v = colours_blend(stored(place), 0.0, drawn.brightness);
    if dims.contrast_span > 0.0 {
        return colours_blend(v, drawn.grey, drawn.contrast);
    }
    return v;
}

// The value at `pixel` of the channel that starts at `first`, in the colours that are drawn.
fn coloured(drawn: Draw, first: u32, pixel: u32) -> f32 {
    if dims.colours == 0u {
        return stored(first + pixel);
    }
    let v = contrasted(drawn, first + pixel);
    if dims.saturation_span == 0.0 {
        return v;
    }
    let plane = dims.height * dims.width;
    let red = contrasted(drawn, drawn.first + pixel);
    let green = contrasted(drawn, drawn.first + plane + pixel);
    let blue = contrasted(drawn, drawn.first + 2u * plane + pixel);
    return colours_blend(v, colours_grey(red, green, blue), drawn.saturation);
}

// The value at (row, column) of the channel that starts at `first`; beyond its edge mirrored, or 0.
fn value(drawn: Draw, first: u32, outside: vec2<i32>) -> f32 {
    let size = vec2<i32>(i32(dims.height), i32(dims.width));
    var at = outside;
    if dims.reflect == 1u {
        let last = size - 1;
        at = last - abs(last - abs(at) % max(2 * last, vec2<i32>(1)));
    }
    if any(at < vec2<i32>(0)) || any(at >= size) {
        return 0.0;
    }
    return coloured(drawn, first, u32(at.x) * dims.width + u32(at.y));
}

// The value at (row, column) of the turned picture.
fn turned(drawn: Draw, first: u32, at: vec2<i32>) -> f32 {
    if dims.affine == 0u {
        return value(drawn, first, at);
    }
    let p = vec3<f32>(f32(at.y), f32(at.x), 1.0);
    let row = dot(places[2u * drawn.listed + 1u].xyz, p);
    let column = dot(places[2u * drawn.listed].xyz, p);
    // Far outside one place is as good as another; the bounds keep the conversion within range.
    let place = clamp(vec2<f32>(row, column), vec2<f32>(-4194304.0), vec2<f32>(4194304.0));
    let low = floor(place);
    let share = place - low;
    let corner = vec2<i32>(low);
    let above = mix(value(drawn, first, corner), value(drawn, first, corner + vec2<i32>(0, 1)), share.y);
    let below = mix(
        value(drawn, first, corner + vec2<i32>(1, 0)),
        value(drawn, first, corner + vec2<i32>(1, 1)),
        share.y,
    );
    return mix(above, below, share.x);
}

// The input at channel c, row h, column w.
fn input(drawn: Draw, c: u32, h: u32, w: u32) -> f32 {
    let cut = vec2<u32>(h, w) - drawn.cutout;
    // What lies before the square wraps to a large number.
    if all(cut < vec2<u32>(dims.cutout)) {
        return 0.0;
    }
    let row = select(h, dims.height - 1u - h, drawn.vertical_flip);
    let column = select(w, dims.width - 1u - w, drawn.flip);
    let at = vec2<i32>(i32(row), i32(column)) + drawn.shift;
    let v = turned(drawn, drawn.first + c * dims.height * dims.width, at);
    let d = (c * dims.height + h) * dims.width + w;
    return (v - mean[d]) * scale[d];
}

@compute @workgroup_size(64)
fn features(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * quads {
        return;
    }
    let row = i / quads;
    let quad = i % quads;
    var v = vec4<f32>(0.0);
    if row < step.count {
        let drawn = draw(row);
        for (var lane = 0u; lane < 4u; lane++) {
            let d = 4u * quad + lane;
            if d < dims.cols {
                let line = d / dims.width;
                v[lane] = input(drawn, line / dims.height, line % dims.height, d % dims.width);
            }
        }
    }
    x[row * dims.stride + quad] = v;
}

@compute @workgroup_size(64)
fn pixels(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * quads {
        return;
    }
    let row = i / quads;
    let quad = i % quads;
    let sample = row / dims.height;
    var v = vec4<f32>(0.0);
    if sample < step.count {
        let drawn = draw(sample);
        for (var lane = 0u; lane < 4u; lane++) {
            let c = 4u * (quad % dims.channel_quads) + lane;
            if c < dims.channels {
                v[lane] = input(drawn, c, row % dims.height, quad / dims.channel_quads);
            }
        }
    }
    x[row * dims.stride + quad] = v;
}
