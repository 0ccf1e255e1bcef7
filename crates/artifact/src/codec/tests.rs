use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    numbers: Vec<f64>,
}

impl Artifact for Sample {
    const KIND: &'static str = "sample";
    const LAYOUT: u16 = 3;
    crate::payload!();

    fn check(&self) -> Result<(), String> {
        match self.numbers.iter().position(|n| n.is_nan()) {
            Some(i) => Err(format!("number {i} is NaN")),
            None => Ok(()),
        }
    }
}

fn envelope() -> Vec<u8> {
    encode(&Sample {
        numbers: vec![1.5, -2.0],
    })
    .unwrap()
}

#[test]
fn an_artifact_survives_the_round_trip() {
    assert_eq!(decode::<Sample>(&envelope()).unwrap().numbers, [1.5, -2.0]);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let whole = envelope();
    for at in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        assert!(
            decode::<Sample>(&damaged).is_err(),
            "bit {at} flipped without an error"
        );
    }
}

#[test]
fn every_truncation_and_every_extension_is_noticed() {
    let whole = envelope();
    for length in 0..whole.len() {
        assert!(
            decode::<Sample>(&whole[..length]).is_err(),
            "{length} bytes were accepted"
        );
    }
    let mut longer = whole;
    longer.push(0);
    assert_eq!(
        decode::<Sample>(&longer),
        Err(CodecError::Trailing { extra: 1 })
    );
}

#[test]
fn a_monstrous_length_is_refused_before_anything_is_allocated() {
    let mut bytes = envelope();
    let at = 8 + 2 + 1 + "sample".len();
    bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(
        decode::<Sample>(&bytes),
        Err(CodecError::TooLarge { bytes: u64::MAX })
    );
}

#[test]
fn another_kind_and_another_layout_are_named() {
    #[derive(Serialize, Deserialize)]
    struct Other;
    impl Artifact for Other {
        const KIND: &'static str = "other";
        const LAYOUT: u16 = 1;
        crate::payload!();
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Newer;
    impl Artifact for Newer {
        const KIND: &'static str = "sample";
        const LAYOUT: u16 = 4;
        crate::payload!();
    }
    let other = encode(&Other).unwrap();
    assert!(matches!(
        decode::<Sample>(&other),
        Err(CodecError::WrongKind { .. })
    ));
    let newer = encode(&Newer).unwrap();
    assert!(matches!(
        decode::<Sample>(&newer),
        Err(CodecError::Newer { found: 4, .. })
    ));
    assert!(matches!(
        decode::<Newer>(&envelope()),
        Err(CodecError::Older { found: 3, .. })
    ));
}

#[test]
fn a_value_that_fails_its_check_is_refused() {
    let bytes = encode(&Sample {
        numbers: vec![f64::NAN],
    })
    .unwrap();
    assert!(matches!(
        decode::<Sample>(&bytes),
        Err(CodecError::Payload { .. })
    ));
}
