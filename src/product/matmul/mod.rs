//! The matrix product, the kernel in which training spends its time: three forms, three classes.
//!
//! [`choose`] picks a [`MatmulKernel`] for an adapter's class and a shape; the variant writes its WGSL
//! ([`MatmulKernel::source`]) and says how many workgroups it needs ([`MatmulKernel::grid`]) and how long a
//! sum one dispatch may take ([`MatmulKernel::max_k`]). Sizes travel in the uniform [`Dims`], so a
//! variant is one pipeline for all layers.
//!
//! Operands are row-major with a stride that is a multiple of four floats, padded with zeros to
//! the next multiple of four in both directions. C keeps that: columns from n to the next multiple
//! of four are stored as zero, rows from m on are not written.

mod lanes;
pub mod plan;
mod text;
pub(super) mod tiled;

pub use super::class::Operand;
use crate::gpu::ClassName;
use crate::kernel::builder::MAX_ITERATIONS;

/// Which operand lies transposed in storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// `C[m][n] = sum_k A[m][k] B[n][k]`: a linear layer forward, bias and relu on request.
    Nt,
    /// `C[m][n] = sum_k A[m][k] B[k][n]`: the gradient of its input, gated by relu' on request.
    Nn,
    /// `C[m][n] = sum_k A[k][m] B[k][n]`: the gradient of its weights, with db on request.
    Tn,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 3] = [Self::Nt, Self::Nn, Self::Tn];

    /// `nt`, `nn` or `tn`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nt => "nt",
            Self::Nn => "nn",
            Self::Tn => "tn",
        }
    }
}

/// The uniform `dims` of a product: the twin of `Dims` in `shaders/product/matmul.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Dims {
    /// Rows of C.
    pub m: u32,
    /// Columns of C.
    pub n: u32,
    /// First term of the sum, a multiple of 4.
    pub k_begin: u32,
    /// One past the last term; a multiple of 4 unless it is the end of the operands.
    pub k_end: u32,
    /// Length of a row of A in vec4.
    pub a_stride: u32,
    /// Length of a row of B in vec4.
    pub b_stride: u32,
    /// Length of a row of C (and of gate) in vec4.
    pub c_stride: u32,
    /// Sum of the constants of [`flags`].
    pub flags: u32,
}

/// The bits of [`Dims::flags`].
pub mod flags {
    /// Add to what C (and db) hold: all parts but the first of a sum that is split over k.
    pub const ADD: u32 = 1;
    /// nt: add `bias[n]`.
    pub const BIAS: u32 = 2;
    /// nt: negative values become 0; NaN stays. Only in the last part of a split sum.
    pub const RELU: u32 = 4;
    /// nn: zero where `gate[m][n] <= 0`. Only in the last part of a split sum.
    pub const GATE: u32 = 8;
    /// tn: also `db[m] = sum_k A[k][m]`.
    pub const DB: u32 = 16;
}

/// One kernel for products: everything its text depends on, so equal variants share a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatmulKernel {
    /// Which operand is transposed.
    pub form: Form,
    /// How it is computed.
    pub class: ClassName,
    /// Invocations per workgroup: the adapter's subgroup size (lanes), or 256 (tiled).
    pub lanes: u32,
    /// Rows of C that one workgroup computes, a multiple of 4 (of 64 in `tiled`).
    pub tile_m: u32,
    /// Blocks of `4 * lanes` columns of C that one workgroup computes (lanes); 1 in `tiled`.
    pub columns: u32,
    /// Where A is read from; always a buffer in `tiled`.
    pub a: Operand,
    /// Where B is read from; always a buffer in `tiled`.
    pub b: Operand,
    /// nn: where the gate is read from; a buffer in the other forms and in `tiled`.
    pub gate: Operand,
}

impl MatmulKernel {
    /// A name that no other variant has, such as `matmul_nn_lanes8_16x32_ttt`: form, class and
    /// lanes, tile, where A, B and in nn the gate come from (`t` texture, `b` buffer).
    #[must_use]
    pub fn name(&self) -> String {
        let class = match self.class {
            ClassName::Lanes => "lanes",
            ClassName::LanesPlain => "plain",
            ClassName::Tiled => "tiled",
        };
        let letter = |operand| match operand {
            Operand::Buffer => 'b',
            Operand::Texture => 't',
        };
        let gate = match self.form {
            Form::Nn => letter(self.gate).to_string(),
            Form::Nt | Form::Tn => String::new(),
        };
        format!(
            "matmul_{}_{class}{}_{}x{}_{}{}{gate}",
            self.form.name(),
            self.lanes,
            self.tile_m,
            self.tile_n(),
            letter(self.a),
            letter(self.b)
        )
    }

    /// Columns of C that one workgroup computes.
    #[must_use]
    pub fn tile_n(&self) -> u32 {
        match self.class {
            ClassName::Tiled => tiled::TILE_N,
            _ => 4 * self.lanes * self.columns,
        }
    }

    /// The whole WGSL text: constants, bindings, the register block, and the file around it.
    #[must_use]
    pub fn source(&self) -> String {
        match self.class {
            ClassName::Tiled => tiled::source(self),
            _ => lanes::source(self),
        }
    }

    /// The text's file whose end is the end of [`MatmulKernel::source`].
    #[must_use]
    pub fn file(&self) -> &'static str {
        match self.class {
            ClassName::Tiled => "shaders/tiled/matmul.wgsl",
            _ => "shaders/lanes/matmul.wgsl",
        }
    }

    /// Workgroups for C of `m` rows and `n` columns. Neighbouring workgroups share their columns
    /// of B, which stay in a core's cache.
    #[must_use]
    pub fn grid(&self, m: u32, n: u32) -> [u32; 3] {
        [m.div_ceil(self.tile_m), n.div_ceil(self.tile_n()), 1]
    }

    /// The longest part of a sum that one dispatch may take, a multiple of 4; longer sums are
    /// split with [`flags::ADD`].
    #[must_use]
    pub fn max_k(&self) -> u32 {
        MAX_ITERATIONS
            * match self.class {
                ClassName::Tiled => tiled::TILE_K,
                _ => lanes::STEP_K,
            }
    }

    /// Useful floating-point operations of a product of this shape.
    #[must_use]
    pub fn flops(&self, m: u32, n: u32, k: u32) -> u64 {
        2 * u64::from(m) * u64::from(n) * u64::from(k)
    }
}

/// Sides of a texture that every adapter offers.
const TEXTURE_SIDE: u32 = 8192;

/// From this many operations on, operands are read from textures.
///
/// On lavapipe 22 a texel costs 13 ns where a vec4 of a buffer costs 25 ns or more, and a copy into
/// a texture 20 to 50 us, pass break included. A layer's three products have the same number of
/// operations and read each of x, w and dy twice, so each product pays for one copy and a half;
/// the gate comes with x. Measured as all products and copies of a step: 784-256-10 at batch 128
/// is level whether its second layer (655,360 operations) takes textures or not (1.47 ms, and two
/// pipelines fewer with them), 128-64-64-10 at batch 16 (262,144) is faster on buffers
/// (0.19 against 0.30 ms).
const WORTH_A_TEXTURE: u64 = 500_000;

/// Tiles of 128 x 64 from which on `tiled` takes them: enough to occupy a large GPU.
const MANY_TILES: u32 = 512;

/// The variant for a product of this shape on an adapter of this class with subgroups of `lanes`.
///
/// Few variants, because a driver compiles each at its first dispatch (lavapipe 22: 60 to 80 ms at
/// 16 rows per tile, 110 to 120 ms at 32): a whole MLP needs three to six.
#[must_use]
pub fn choose(class: ClassName, lanes: u32, form: Form, m: u32, n: u32, k: u32) -> MatmulKernel {
    let buffers = MatmulKernel {
        form,
        class,
        lanes,
        tile_m: 16,
        columns: 1,
        a: Operand::Buffer,
        b: Operand::Buffer,
        gate: Operand::Buffer,
    };
    if class == ClassName::Tiled {
        let many = m.div_ceil(128).saturating_mul(n.div_ceil(64)) >= MANY_TILES;
        return MatmulKernel {
            lanes: 256,
            tile_m: if many { 128 } else { 64 },
            ..buffers
        };
    }
    let worth = buffers.flops(m, n, k) >= WORTH_A_TEXTURE;
    if !worth || m.max(n).max(k) > TEXTURE_SIDE {
        return buffers;
    }
    MatmulKernel {
        tile_m: if class == ClassName::Lanes {
            rows_per_tile(form, m)
        } else {
            16
        },
        a: Operand::Texture,
        b: Operand::Texture,
        gate: match form {
            Form::Nn => Operand::Texture,
            Form::Nt | Form::Tn => Operand::Buffer,
        },
        ..buffers
    }
}

/// Rows per tile in `lanes`: 32 rows are 3 to 8 % faster than 16 (each load of B serves twice as
/// many) where they don't waste more than that on rows beyond m. In tn m is a layer's width,
/// which differs from layer to layer; there one pipeline for all is worth more.
fn rows_per_tile(form: Form, m: u32) -> u32 {
    let cost = |rows: u32, weight: u32| m.next_multiple_of(rows) * weight;
    if form == Form::Tn || cost(32, 100) <= cost(16, 105) {
        32
    } else {
        16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every variant that is worth a pipeline on some adapter.
    fn variants() -> Vec<MatmulKernel> {
        let mut all = Vec::new();
        let operands = [Operand::Buffer, Operand::Texture];
        for form in Form::ALL {
            for tile_m in [64, 128] {
                let tiled = choose(ClassName::Tiled, 32, form, 512, 512, 512);
                all.push(MatmulKernel { tile_m, ..tiled });
            }
            for class in [ClassName::Lanes, ClassName::LanesPlain] {
                for lanes in [4, 8, 16, 32] {
                    for (tile_m, columns) in [(4, 1), (8, 1), (16, 1), (12, 2), (16, 2), (32, 1)] {
                        for (a, b) in operands.iter().flat_map(|a| operands.map(|b| (*a, b))) {
                            all.push(MatmulKernel {
                                form,
                                class,
                                lanes,
                                tile_m,
                                columns,
                                a,
                                b,
                                gate: if form == Form::Nn { b } else { Operand::Buffer },
                            });
                        }
                    }
                }
            }
        }
        all
    }

    #[test]
    fn every_variant_is_valid_wgsl() {
        for variant in variants() {
            let source = variant.source();
            let name = variant.name();
            let module = naga::front::wgsl::parse_str(&source)
                .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&source)));
            let capabilities = match variant.class {
                ClassName::Lanes => naga::valid::Capabilities::SUBGROUP,
                ClassName::LanesPlain | ClassName::Tiled => naga::valid::Capabilities::empty(),
            };
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities)
                .validate(&module)
                .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&source)));
        }
    }

    #[test]
    fn names_are_unique() {
        let all = variants();
        let names: BTreeSet<String> = all.iter().map(MatmulKernel::name).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn grids_cover_the_matrix_without_an_empty_workgroup() {
        for variant in variants() {
            for (m, n) in [(1, 1), (3, 17), (16, 32), (17, 33), (100, 257), (8192, 10)] {
                let [x, y, z] = variant.grid(m, n);
                assert_eq!(z, 1);
                assert!(x * variant.tile_m >= m && (x - 1) * variant.tile_m < m);
                assert!(y * variant.tile_n() >= n && (y - 1) * variant.tile_n() < n);
            }
        }
    }

    /// The variants of all products of an MLP with these widths.
    fn mlp(class: ClassName, batch: u32, widths: &[u32]) -> BTreeSet<MatmulKernel> {
        let mut all = BTreeSet::new();
        for pair in widths.windows(2) {
            let (k, n) = (pair[0], pair[1]);
            all.insert(choose(class, 8, Form::Nt, batch, n, k));
            all.insert(choose(class, 8, Form::Nn, batch, k, n));
            all.insert(choose(class, 8, Form::Tn, n, k, batch));
        }
        all
    }

    #[test]
    fn a_network_needs_few_pipelines() {
        for class in [ClassName::Lanes, ClassName::LanesPlain, ClassName::Tiled] {
            for (batch, widths, most) in [
                (128, &[784, 512, 512, 10][..], 3),
                (128, &[784, 256, 10], 3),
                (16, &[128, 64, 64, 10], 3),
                (100, &[784, 300, 100, 10], 6),
            ] {
                let all = mlp(class, batch, widths);
                assert!(all.len() <= most, "{class:?} {widths:?}: {all:?}");
            }
        }
    }

    #[test]
    fn textures_are_chosen_only_where_they_fit() {
        let variant = choose(ClassName::Lanes, 8, Form::Nn, 8192, 8192, 512);
        assert_eq!(
            (variant.a, variant.b, variant.gate),
            (Operand::Texture, Operand::Texture, Operand::Texture)
        );
        for (m, n, k) in [
            (8193, 512, 512),
            (512, 8193, 512),
            (512, 512, 8193),
            (8, 8, 8),
        ] {
            let variant = choose(ClassName::Lanes, 8, Form::Nt, m, n, k);
            assert_eq!((variant.a, variant.b), (Operand::Buffer, Operand::Buffer));
        }
        let variant = choose(ClassName::Tiled, 32, Form::Nt, 4096, 4096, 4096);
        assert_eq!((variant.a, variant.b), (Operand::Buffer, Operand::Buffer));
    }

    #[test]
    fn workgroup_memory_stays_below_16_kib() {
        for variant in variants() {
            let module = naga::front::wgsl::parse_str(&variant.source()).expect("valid");
            let mut layouter = naga::proc::Layouter::default();
            layouter.update(module.to_ctx()).expect("sized types");
            let bytes: u32 = module
                .global_variables
                .iter()
                .filter(|(_, g)| g.space == naga::AddressSpace::WorkGroup)
                .map(|(_, g)| layouter[g.ty].size)
                .sum();
            match variant.class {
                ClassName::Tiled => assert!((1..=16_384).contains(&bytes), "{bytes}"),
                ClassName::Lanes | ClassName::LanesPlain => assert_eq!(bytes, 0),
            }
        }
    }
}
