// forward: one phase. Tap (ky, kx) of result (oy, ox) is row oy sy - py + ky, pixel ox sx - px + kx.
fn walk_of(phase: u32) -> Walk {
    let tap_rows = 4 * i32(dims.ci_quads);
    var walk: Walk;
    walk.rows = i32(dims.ho);
    walk.cols = i32(dims.wo);
    walk.step_y = i32(dims.stride_y);
    walk.step_x = i32(dims.stride_x);
    walk.y0 = -i32(dims.padding_y);
    walk.x0 = -i32(dims.padding_x);
    walk.taps_y = i32(dims.kernel_y);
    walk.taps_x = i32(dims.kernel_x);
    walk.w0 = 0;
    walk.w_dy = i32(dims.kernel_x) * tap_rows;
    walk.w_dx = tap_rows;
    walk.out_y = 0u;
    walk.out_x = 0u;
    walk.out_step_y = 1u;
    walk.out_step_x = 1u;
    return walk;
}
