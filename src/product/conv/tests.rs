//! Every variant's text, name and grid, without an adapter.

use super::*;
use std::collections::BTreeSet;

const SHAPE: ConvShape = ConvShape {
    n: 100,
    ci: 32,
    h: 16,
    w: 16,
    co: 64,
    ky: 5,
    kx: 5,
    sy: 1,
    sx: 1,
    py: 2,
    px: 2,
};

/// Every variant that is worth a pipeline on some adapter.
fn variants() -> Vec<ConvKernel> {
    let mut all = Vec::new();
    let operands = [Operand::Buffer, Operand::Texture];
    for op in ConvOp::ALL {
        for tile_m in [32, 64, 128] {
            all.push(ConvKernel {
                tile_m,
                ..choose(ClassName::Tiled, 32, op, &SHAPE)
            });
        }
        for class in [ClassName::Lanes, ClassName::LanesPlain] {
            for lanes in [4, 8, 16, 32] {
                for (tile_m, columns) in [(4, 1), (16, 1), (20, 1), (32, 1), (16, 2)] {
                    for (image, other) in operands.iter().flat_map(|a| operands.map(|b| (*a, b))) {
                        all.push(ConvKernel {
                            op,
                            class,
                            lanes,
                            tile_m,
                            columns,
                            image,
                            other,
                            gate: match op {
                                ConvOp::InputGradient => other,
                                _ => Operand::Buffer,
                            },
                            channels: 4,
                        });
                    }
                }
            }
        }
    }
    let fewer = |v: &ConvKernel, channels| ConvKernel { channels, ..*v };
    let reads_x = |v: &&ConvKernel| v.class != ClassName::Tiled && v.op != ConvOp::InputGradient;
    let of_few: Vec<ConvKernel> = all
        .iter()
        .filter(reads_x)
        .flat_map(|v| [1, 2, 3].map(|channels| fewer(v, channels)))
        .collect();
    all.extend(of_few);
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
    let names: BTreeSet<String> = all.iter().map(ConvKernel::name).collect();
    assert_eq!(names.len(), all.len());
}
