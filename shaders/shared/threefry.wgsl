// Threefry-2x32 with 20 rounds (Salmon et al., SC 2011): two random words from a key and a
// counter. Rust twin: `threefry` in src/rng.rs; a test compares the two.

fn threefry_mix(x: vec2<u32>, r: u32) -> vec2<u32> {
    let a = x.x + x.y;
    return vec2<u32>(a, ((x.y << r) | (x.y >> (32u - r))) ^ a);
}

fn threefry_four(x: vec2<u32>, r: vec4<u32>) -> vec2<u32> {
    return threefry_mix(threefry_mix(threefry_mix(threefry_mix(x, r.x), r.y), r.z), r.w);
}

fn threefry(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
    let k2 = 0x1BD11BDAu ^ key.x ^ key.y;
    let even = vec4<u32>(13u, 15u, 26u, 6u);
    let odd = vec4<u32>(17u, 29u, 16u, 24u);
    var x = counter + key;
    x = threefry_four(x, even) + vec2<u32>(key.y, k2 + 1u);
    x = threefry_four(x, odd) + vec2<u32>(k2, key.x + 2u);
    x = threefry_four(x, even) + vec2<u32>(key.x, key.y + 3u);
    x = threefry_four(x, odd) + vec2<u32>(key.y, k2 + 4u);
    x = threefry_four(x, even) + vec2<u32>(k2, key.x + 5u);
    return x;
}

// The 24 high bits of a word as a number in [0, 1).
fn threefry_uniform(word: u32) -> f32 {
    return f32(word >> 8u) * 5.9604644775390625e-8;
}
