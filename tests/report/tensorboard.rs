//! The TensorBoard event file, read by a reader that knows only the form of the file.

use std::fs;

use wavetrain::report::folder::{RunFolder, TENSORBOARD};
use wavetrain::report::tensorboard::TensorBoard;
use wavetrain::train::event::{Evaluation, Event, Observer as _, Split, StepRecord};

use super::fixture;

/// CRC-32C bit by bit (polynomial 0x1EDC6F41, reflected), masked as TensorFlow's records are.
fn masked(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc = (crc >> 1) ^ (low * 0x82f6_3b78);
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The bodies of the records, with every length and checksum looked at.
fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_at(8);
        let (check, rest) = rest.split_at(4);
        assert_eq!(masked(length).to_le_bytes(), check);
        let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        let (body, rest) = rest.split_at(length);
        let (check, rest) = rest.split_at(4);
        assert_eq!(masked(body).to_le_bytes(), check);
        found.push(body.to_vec());
        bytes = rest;
    }
    found
}

/// Whether `body` holds the scalar: field 1 with the tag, field 2 with the f32.
fn holds(body: &[u8], tag: &str, value: f32) -> bool {
    let mut scalar = vec![0x0a, u8::try_from(tag.len()).unwrap()];
    scalar.extend(tag.as_bytes());
    scalar.push(0x15);
    scalar.extend(value.to_le_bytes());
    body.windows(scalar.len()).any(|part| part == scalar)
}

#[test]
fn the_checksum_is_the_one_of_the_standard() {
    // RFC 3720, appendix B.4: 32 bytes of zeros have the CRC-32C 0x8a9136aa.
    let plain = 0x8a91_36aa_u32;
    assert_eq!(
        masked(&[0; 32]),
        plain.rotate_right(15).wrapping_add(0xa282_ead8)
    );
}

#[test]
fn steps_and_evaluations_become_scalars() {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(dir.path().join("run"), false).unwrap();
    let mut writer = TensorBoard::new(&folder);
    let info = fixture::info(10, 20, 5);
    writer.on(&Event::Started(&info)).unwrap();
    let step = |step: u64| StepRecord {
        step,
        epoch: 0,
        lr: 0.5,
        momentum: 0.0,
        loss: 2.25,
        accuracy: 0.125,
        grad_norm: 4.5,
        clip_factor: None,
    };
    let clipped = StepRecord {
        clip_factor: Some(0.25),
        ..step(301)
    };
    writer
        .on(&Event::Steps(&[step(0), step(300), clipped]))
        .unwrap();
    let evaluation = Evaluation {
        split: Split::Validation,
        step: 302,
        epoch: 1,
        loss: f64::NAN,
        accuracy: 0.75,
        errors: None,
        sequences: None,
        perplexity: None,
        bits: None,
    };
    writer.on(&Event::Evaluated(&evaluation)).unwrap();

    let found = records(&fs::read(folder.file(TENSORBOARD)).unwrap());
    assert_eq!(found.len(), 5);
    let version = b"\x1a\x0dbrain.Event:2";
    assert!(found[0].windows(version.len()).any(|part| part == version));
    for body in &found[1..3] {
        for (tag, value) in [
            ("train/lr", 0.5),
            ("train/momentum", 0.0),
            ("train/loss", 2.25),
            ("train/accuracy", 0.125),
            ("train/grad_norm", 4.5),
        ] {
            assert!(holds(body, tag, value), "{tag}");
        }
    }
    let tag: &[u8] = b"train/clip_factor";
    let named = |body: &[u8]| body.windows(tag.len()).any(|part| part == tag);
    assert!(!named(&found[1]) && !named(&found[2]) && named(&found[3]));
    assert!(holds(&found[3], "train/clip_factor", 0.25));
    // Step 300 as a varint in field 2, after the f64 of the time in field 1.
    assert_eq!(found[2][0], 0x09);
    assert_eq!(found[2][9..12], [0x10, 0xac, 0x02]);
    assert!(holds(&found[4], "validation/accuracy", 0.75));
    assert!(holds(&found[4], "validation/loss", f32::NAN));
}
