//! Slots: values and textures that do not live at the same time share memory.

use std::collections::HashMap;
use std::hash::Hash;

use super::plan::{Bound, ImageSpec, Op, Plan, Role};

/// First and last command that touches something.
#[derive(Debug, Clone, Copy)]
struct Life {
    first: usize,
    last: usize,
}

fn touch(lives: &mut HashMap<usize, Life>, item: usize, at: usize) {
    lives
        .entry(item)
        .and_modify(|life| life.last = at)
        .or_insert(Life {
            first: at,
            last: at,
        });
}

/// Gives each item of `lives` a slot. Only items of one kind share, and only when the earlier
/// one's last command comes before the later one's first: no dispatch reads and writes one slot.
fn assign<K: Hash + Eq>(
    lives: &HashMap<usize, Life>,
    kind: impl Fn(usize) -> K,
) -> HashMap<usize, usize> {
    let mut items: Vec<(usize, Life)> = lives.iter().map(|(item, life)| (*item, *life)).collect();
    items.sort_by_key(|(item, life)| (life.first, *item));
    let mut free: HashMap<K, Vec<(usize, usize)>> = HashMap::new();
    let mut slots = HashMap::new();
    for (item, life) in items {
        let slots_of_kind = free.entry(kind(item)).or_default();
        match slots_of_kind
            .iter_mut()
            .find(|(_, last)| *last < life.first)
        {
            Some((slot, last)) => {
                *last = life.last;
                slots.insert(item, *slot);
            }
            None => {
                slots_of_kind.push((item, life.last));
                slots.insert(item, item);
            }
        }
    }
    slots
}

/// Lets values share buffers and images share textures. Values share only buffers of exactly their
/// own size and layout (the same number of bytes per row and of rows), because the padding of a
/// slot is zero by never being written.
pub(super) fn share(plan: &mut Plan) {
    let mut values = HashMap::new();
    let mut images = HashMap::new();
    for (at, op) in plan.ops().enumerate() {
        let mut bound = |bound: &Bound| match bound {
            Bound::Buffer { buffer, .. } if plan.buffers[*buffer].key.role() == Role::Value => {
                touch(&mut values, *buffer, at);
            }
            Bound::Buffer { .. } => {}
            Bound::Image(image) => touch(&mut images, *image, at),
        };
        match op {
            Op::Dispatch(dispatch) => dispatch.bindings.iter().for_each(|(_, b)| bound(b)),
            Op::CopyToImage {
                buffer,
                image,
                offset,
            } => {
                bound(&Bound::Image(*image));
                bound(&Bound::Buffer {
                    buffer: *buffer,
                    offset: *offset,
                    bytes: 0,
                    element: None,
                });
            }
        }
    }
    let value_slots = assign(&values, |buffer| {
        (plan.buffers[buffer].bytes, plan.buffers[buffer].stride)
    });
    let image_slots = assign(&images, |image| {
        // Everything but the name: borders are zero by never being written.
        ImageSpec {
            name: String::new(),
            ..plan.images[image].clone()
        }
    });
    renumber(plan, &value_slots, &image_slots);
}

/// Drops what is not used, numbers the rest and points all commands at the new numbers.
fn renumber(
    plan: &mut Plan,
    value_slots: &HashMap<usize, usize>,
    image_slots: &HashMap<usize, usize>,
) {
    let mut new_buffers = HashMap::new();
    let mut buffers = Vec::new();
    for (index, spec) in plan.buffers.iter().enumerate() {
        let is_slot = value_slots.get(&index) == Some(&index);
        if spec.key.role() != Role::Value || is_slot {
            new_buffers.insert(index, buffers.len());
            buffers.push(spec.clone());
        }
    }
    let mut new_images = HashMap::new();
    let mut images = Vec::new();
    for (index, spec) in plan.images.iter().enumerate() {
        if image_slots.get(&index) == Some(&index) {
            new_images.insert(index, images.len());
            images.push(spec.clone());
        }
    }
    let buffer_of = |buffer: usize| new_buffers[value_slots.get(&buffer).unwrap_or(&buffer)];
    let image_of = |image: usize| new_images[&image_slots[&image]];
    let phases = [
        &mut plan.forward,
        &mut plan.backward,
        &mut plan.accumulate,
        &mut plan.update,
    ];
    for op in phases.into_iter().flatten() {
        match op {
            Op::Dispatch(dispatch) => {
                for (_, bound) in &mut dispatch.bindings {
                    match bound {
                        Bound::Buffer { buffer, .. } => *buffer = buffer_of(*buffer),
                        Bound::Image(image) => *image = image_of(*image),
                    }
                }
            }
            Op::CopyToImage { buffer, image, .. } => {
                *buffer = buffer_of(*buffer);
                *image = image_of(*image);
            }
        }
    }
    plan.buffers = buffers;
    plan.images = images;
}
