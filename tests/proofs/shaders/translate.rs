//! Translation by naga, so that a machine without Metal or DX12 still knows that naga accepts and
//! translates a kernel. What it writes is not compiled here.

use naga::ShaderStage;
use naga::back::{PipelineConstants, hlsl, msl, pipeline_constants, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

/// Translates each entry point of a shader to SPIR-V, MSL and HLSL.
pub(crate) fn all(name: &str, text: &str) {
    let module = naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(text)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP)
        .validate(&module)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(text)));
    for entry in &module.entry_points {
        let what = format!("{name}::{}", entry.name);
        // All writers refuse modules with overrides that are not resolved.
        let (module, info) = pipeline_constants::process_overrides(
            &module,
            &info,
            Some((ShaderStage::Compute, &entry.name)),
            &PipelineConstants::default(),
        )
        .unwrap_or_else(|error| panic!("{what}: {error}"));
        to_spirv(&what, &entry.name, &module, &info);
        to_msl(&what, &entry.name, &module, &info);
        to_hlsl(&what, &entry.name, &module, &info);
    }
}

fn to_spirv(what: &str, entry: &str, module: &naga::Module, info: &ModuleInfo) {
    let options = spv::Options {
        // Subgroup operations need 1.3; naga would write them into 1.0 without a word.
        lang_version: (1, 3),
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions {
        shader_stage: ShaderStage::Compute,
        entry_point: entry.to_owned(),
    };
    let words = spv::write_vec(module, info, &options, Some(&pipeline))
        .unwrap_or_else(|error| panic!("{what} to SPIR-V: {error}"));
    assert_eq!(words[0], 0x0723_0203, "{what}: SPIR-V's magic number");
}

fn to_msl(what: &str, entry: &str, module: &naga::Module, info: &ModuleInfo) {
    let options = msl::Options {
        lang_version: (2, 4),
        fake_missing_bindings: true,
        ..Default::default()
    };
    let pipeline = msl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, entry.to_owned())),
        ..Default::default()
    };
    let (text, written) = msl::write_string(module, info, &options, &pipeline)
        .unwrap_or_else(|error| panic!("{what} to MSL: {error}"));
    // An entry point that could not be written does not fail the whole.
    assert_eq!(written.entry_point_names.len(), 1, "{what}");
    for name in written.entry_point_names {
        let name = name.unwrap_or_else(|error| panic!("{what} to MSL: {error}"));
        assert!(
            text.contains(&format!("kernel void {name}(")),
            "{what} to MSL"
        );
    }
}

fn to_hlsl(what: &str, entry: &str, module: &naga::Module, info: &ModuleInfo) {
    let options = hlsl::Options {
        // Wave operations need 6.0; naga would write them into 5.1 without a word.
        shader_model: hlsl::ShaderModel::V6_0,
        fake_missing_bindings: true,
        ..Default::default()
    };
    let pipeline = hlsl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, entry.to_owned())),
    };
    let mut text = String::new();
    let written = hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(module, info, None)
        .unwrap_or_else(|error| panic!("{what} to HLSL: {error}"));
    assert_eq!(written.entry_point_names.len(), 1, "{what}");
    for name in written.entry_point_names {
        let name = name.unwrap_or_else(|error| panic!("{what} to HLSL: {error}"));
        assert!(text.contains(&format!("void {name}(")), "{what} to HLSL");
    }
}
