//! Counter-based random numbers: Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random
//! numbers: as easy as 1, 2, 3", SC 2011). The twin for shaders is `shaders/shared/threefry.wgsl`.
//!
//! Nothing here has a state. A random number is a function of (seed, stream, step, element, draw),
//! so nothing has to be replayed to resume a run, and adding one consumer disturbs no other.

/// Who consumes the random numbers; the number is part of the key, so it must never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
#[non_exhaustive]
pub enum Stream {
    /// The order of the samples in an epoch (`step` is the epoch).
    Order = 1,
    /// Which training samples are held out for validation.
    Split = 2,
    /// The embedded data set of glyphs (`step` is the sample).
    Glyphs = 3,
    /// Initial weights (`step` is the parameter's position in the model).
    Init = 4,
    /// Dropout masks.
    Dropout = 5,
    /// Augmentation of the training samples.
    Augment = 6,
    /// Made-up data of benchmarks and tests.
    Bench = 7,
    /// Free for own layers.
    User = 8,
    /// Where the windows of an epoch begin in a stream of tokens (`step` is the epoch).
    Phase = 9,
    /// Which pairs of numbers are held out of the source `sums`.
    Sums = 10,
    /// The symbols of generated texts (`step` is the place).
    Generate = 11,
}

/// The key of one stream at one step: two words that travel in the step uniform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u32; 2]);

/// Threefry-2x32, 20 rounds: the block cipher that everything else is made of.
#[must_use]
pub fn threefry(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    let ks = [key[0], key[1], 0x1BD1_1BDA ^ key[0] ^ key[1]];
    let mut x = [
        counter[0].wrapping_add(ks[0]),
        counter[1].wrapping_add(ks[1]),
    ];
    for block in 0..5_usize {
        for r in ROTATIONS[block % 2] {
            x[0] = x[0].wrapping_add(x[1]);
            x[1] = x[1].rotate_left(r) ^ x[0];
        }
        x[0] = x[0].wrapping_add(ks[(block + 1) % 3]);
        x[1] = x[1]
            .wrapping_add(ks[(block + 2) % 3])
            .wrapping_add(block as u32 + 1);
    }
    x
}

impl Key {
    /// The key of `stream` at `step` under `seed`:
    /// T(T(seed; stream, step >> 32); step mod 2^32, 0).
    #[must_use]
    pub fn new(seed: u64, stream: Stream, step: u64) -> Self {
        let seed = [seed as u32, (seed >> 32) as u32];
        let inner = threefry(seed, [stream as u32, (step >> 32) as u32]);
        Self(threefry(inner, [step as u32, 0]))
    }

    /// Two random words for `element` and `draw`.
    #[must_use]
    pub fn words(self, element: u32, draw: u32) -> [u32; 2] {
        threefry(self.0, [element, draw])
    }

    /// Two numbers in [0, 1), multiples of 2^-24, for `element` and `draw`.
    #[must_use]
    pub fn uniforms(self, element: u32, draw: u32) -> [f32; 2] {
        self.words(element, draw).map(uniform)
    }

    /// Two independent standard normal numbers (Box and Muller 1958), in f64, without any
    /// platform function, so that they are the same bits on every machine.
    #[must_use]
    pub fn normals(self, element: u32, draw: u32) -> [f64; 2] {
        let [a, b] = self.words(element, draw);
        let u = (f64::from(a) + 1.0) / 4_294_967_296.0; // (0, 1]: the logarithm is finite
        let angle = f64::from(b) / 4_294_967_296.0 * core::f64::consts::TAU;
        let radius = libm::sqrt(-2.0 * libm::log(u));
        [radius * libm::cos(angle), radius * libm::sin(angle)]
    }

    /// A random permutation of `0..n` (Fisher and Yates; Durstenfeld's form).
    ///
    /// # Panics
    /// If `n` does not fit into 32 bits.
    #[must_use]
    pub fn permutation(self, n: usize) -> Vec<u32> {
        let n = u32::try_from(n).expect("a permutation has fewer than 2^32 elements");
        let mut order: Vec<u32> = (0..n).collect();
        for i in (1..n).rev() {
            let [hi, lo] = self.words(i, 0);
            let draw = (u64::from(hi) << 32) | u64::from(lo);
            // 64 random bits scaled to 0..=i: the bias is below 2^-32.
            let j = ((u128::from(draw) * u128::from(i + 1)) >> 64) as u32;
            order.swap(i as usize, j as usize);
        }
        order
    }
}

/// The 24 high bits of `word` as a number in [0, 1).
#[must_use]
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 / 16_777_216.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published check values of Random123 (`kat_vectors`, threefry2x32 20).
    #[test]
    fn threefry_gives_the_published_values() {
        assert_eq!(threefry([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(
            threefry([u32::MAX; 2], [u32::MAX; 2]),
            [0x1cb9_96fc, 0xbb00_2be7]
        );
        assert_eq!(
            threefry([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3]),
            [0xc492_3a9c, 0x483d_f7a0]
        );
    }

    #[test]
    fn a_permutation_holds_every_element_once_and_depends_on_the_key() {
        let key = Key::new(1, Stream::Order, 0);
        let order = key.permutation(1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
        assert_ne!(order, Key::new(1, Stream::Order, 1).permutation(1000));
        assert_ne!(order, Key::new(2, Stream::Order, 0).permutation(1000));
    }

    #[test]
    fn normals_have_mean_zero_and_deviation_one() {
        let key = Key::new(3, Stream::Init, 0);
        let n = 20_000;
        let all: Vec<f64> = (0..n).flat_map(|i| key.normals(i, 0)).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / all.len() as f64;
        // Five standard errors of each estimate.
        assert!(mean.abs() < 5.0 / (all.len() as f64).sqrt(), "{mean}");
        assert!(
            (variance - 1.0).abs() < 5.0 * (2.0 / all.len() as f64).sqrt(),
            "{variance}"
        );
    }
}
