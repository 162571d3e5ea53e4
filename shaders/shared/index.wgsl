// The index of an invocation in a grid of two dimensions: a grid has at most 65,535 workgroups
// in each, so long lists are folded.
fn index_linear(group: vec3<u32>, groups: vec3<u32>, local: u32, size: u32) -> u32 {
    return (group.y * groups.x + group.x) * size + local;
}
