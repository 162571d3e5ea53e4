//! `wavetrain devices`: the adapters of this machine.

use std::fmt::Write;
use std::process::ExitCode;

use super::options::Globals;
use super::output::Output;
use crate::error::Result;
use crate::gpu::{self, AdapterDescription};
use crate::kernel::program::mebibytes;

/// Lists the adapters, the kernels that each would get, and the one that would be used
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    let adapters = gpu::list(&globals.selection());
    if arguments.json {
        output.json(&adapters)?;
    } else if adapters.is_empty() {
        // Opening none says what to install.
        gpu::Gpu::open(&globals.selection())?;
    } else {
        let mut text = String::new();
        for adapter in &adapters {
            describe(&mut text, adapter);
        }
        text += "\n* would be used. Choose another with --adapter NAME-PART, or with \
                 WGPU_ADAPTER_NAME, WGPU_BACKEND (vulkan, metal, dx12), WGPU_POWER_PREF (low, high).\n";
        output.text(&text)?;
        if !adapters.iter().any(|adapter| adapter.chosen) {
            gpu::Gpu::open(&globals.selection())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(text: &mut String, adapter: &AdapterDescription) {
    let mark = if adapter.chosen { '*' } else { ' ' };
    let [min, max] = adapter.subgroup_sizes;
    let sizes = if min == max {
        min.to_string()
    } else {
        format!("{min} to {max}")
    };
    let _ = writeln!(text, "{mark} {}", adapter.name);
    let lines = [
        ("type", format!("{}, {}", adapter.kind, adapter.backend)),
        ("driver", adapter.driver.clone()),
        ("kernels", adapter.class.as_str().to_owned()),
        (
            "subgroups",
            format!(
                "{sizes}{}",
                if adapter.subgroups {
                    ""
                } else {
                    " (not usable)"
                }
            ),
        ),
        (
            "limits",
            format!(
                "buffer {}, binding {}, texture {}, workgroup {} invocations with {} KiB",
                mebibytes(adapter.max_buffer_bytes),
                mebibytes(adapter.max_binding_bytes),
                adapter.max_texture_side,
                adapter.max_workgroup_invocations,
                adapter.workgroup_memory_bytes / 1024
            ),
        ),
        (
            "timestamps",
            if adapter.timestamps { "yes" } else { "no" }.to_owned(),
        ),
    ];
    for (name, value) in lines {
        let _ = writeln!(text, "    {name:<11}{value}");
    }
}
