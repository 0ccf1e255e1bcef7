use super::*;

#[test]
fn moments_of_the_binary_protocol_are_iso_8601() {
    let check = |bytes: &[u8], is_utc, expected: &str| assert_eq!(moment(bytes, is_utc), expected);
    check(&[4, 0xea, 7, 2, 3], false, "2026-02-03T00:00:00");
    check(&[7, 0xea, 7, 2, 3, 4, 5, 6], true, "2026-02-03T04:05:06Z");
    check(
        &[11, 0xea, 7, 2, 3, 4, 5, 6, 0x20, 0xa1, 7, 0],
        false,
        "2026-02-03T04:05:06.500000",
    );
    assert_eq!(date(&[4, 0xea, 7, 12, 31]), "2026-12-31");
}

#[test]
fn times_count_days_as_hours() {
    let check = |bytes: &[u8], expected: &str| assert_eq!(time(bytes), expected);
    check(&[0], "00:00:00");
    check(&[8, 1, 1, 0, 0, 0, 6, 5, 4], "-30:05:04");
    check(&[12, 0, 0, 0, 0, 0, 1, 2, 3, 1, 0, 0, 0], "01:02:03.000001");
}
