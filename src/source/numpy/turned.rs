//! Numbers in the order that samples have: the last axis fastest, the least byte first.

use super::Header;

/// Bytes of the rows that are put together at a time.
const BLOCK: usize = 64 << 20;

/// Gives all numbers to `write`, some rows (along the first axis) at a time, of an array that lies otherwise.
/// `read` fills with the bytes from a place on.
pub(super) fn turned<E>(
    header: &Header,
    read: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    in_blocks(header, BLOCK, read, write)
}

fn in_blocks<E>(
    header: &Header,
    block: usize,
    mut read: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (size, rows) = (header.ty.size(), header.shape.first().copied().unwrap_or(1));
    if header.bytes == 0 {
        return Ok(());
    }
    let width = header.bytes / rows;
    let at_once = (block / width).clamp(1, rows);
    let (mut block, mut column) = (vec![0; at_once * width], vec![0; at_once * size]);
    for first in (0..rows).step_by(at_once) {
        let count = at_once.min(rows - first);
        let block = &mut block[..count * width];
        match header.is_fortran {
            false => read(first * width, block)?,
            true => {
                let column = &mut column[..count * size];
                for (at, place) in (0..).step_by(size).zip(columns(&header.shape)) {
                    read((place * rows + first) * size, column)?;
                    for (row, number) in block.chunks_mut(width).zip(column.chunks(size)) {
                        row[at..at + size].copy_from_slice(number);
                    }
                }
            }
        }
        if header.is_big_endian {
            block.chunks_mut(size).for_each(<[u8]>::reverse);
        }
        write(block)?;
    }
    Ok(())
}

/// Where the columns of an array lie, whose first axis is the fastest: of each element of a row, the last
/// axis fastest, how many columns lie before it.
fn columns(shape: &[usize]) -> impl Iterator<Item = usize> {
    let axes: Vec<usize> = shape.iter().skip(1).copied().collect();
    let mut strides = Vec::with_capacity(axes.len());
    let mut all = 1;
    for axis in &axes {
        strides.push(all);
        all *= axis;
    }
    let mut place = vec![0; axes.len()];
    (0..all).map(move |_| {
        let at = place.iter().zip(&strides).map(|(p, s)| p * s).sum();
        for axis in (0..axes.len()).rev() {
            place[axis] += 1;
            if place[axis] < axes[axis] {
                break;
            }
            place[axis] = 0;
        }
        at
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::arrays::Type;

    #[test]
    fn numbers_lie_as_samples_do_however_many_rows_are_put_together() {
        // Element (i, j, k) of the shape [3, 2, 4] is 100 i + 10 j + k.
        let number = |i, j, k| (100 * i + 10 * j + k) as u16;
        let mut wanted = Vec::new();
        for i in 0..3 {
            for j in 0..2 {
                (0..4).for_each(|k| wanted.push(number(i, j, k)));
            }
        }
        let mut first_fastest = Vec::new();
        for k in 0..4 {
            for j in 0..2 {
                (0..3).for_each(|i| first_fastest.push(number(i, j, k)));
            }
        }
        for (is_fortran, is_big_endian) in [(false, true), (true, false), (true, true)] {
            let numbers = if is_fortran { &first_fastest } else { &wanted };
            let bytes = numbers.iter().flat_map(|number| match is_big_endian {
                true => number.to_be_bytes(),
                false => number.to_le_bytes(),
            });
            let bytes: Vec<u8> = bytes.collect();
            let header = Header {
                ty: Type::U16,
                shape: vec![3, 2, 4],
                bytes: bytes.len(),
                is_big_endian,
                is_fortran,
            };
            for block in [1, 33, 1000] {
                let (mut found, mut blocks) = (Vec::new(), 0);
                let read = |at: usize, into: &mut [u8]| {
                    into.copy_from_slice(&bytes[at..at + into.len()]);
                    Ok::<_, ()>(())
                };
                in_blocks(&header, block, read, |rows| {
                    blocks += 1;
                    found.extend_from_slice(rows);
                    Ok(())
                })
                .unwrap();
                let found: Vec<u16> = bytemuck::pod_collect_to_vec(&found);
                assert_eq!(found, wanted);
                // A row has 16 bytes.
                assert_eq!(
                    blocks,
                    if block == 1 {
                        3
                    } else if block == 33 {
                        2
                    } else {
                        1
                    }
                );
            }
        }
    }
}
