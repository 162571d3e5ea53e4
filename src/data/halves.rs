//! Numbers of 16 bits as floats of 32, which hold all of them.

/// A number of IEEE 754's binary16 (f16).
#[must_use]
pub fn binary16(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match (exponent, fraction == 0.0) {
        (31, true) => f32::INFINITY,
        (31, false) => f32::NAN,
        (0, _) => fraction * 2_f32.powi(-24),
        (exponent, _) => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

/// A number of the 16 upper bits of a float (bf16).
#[must_use]
pub fn bfloat16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}
