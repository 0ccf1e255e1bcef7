use super::*;

/// Takes tokens at these milliseconds; a digit each says whether there was one.
fn check(rate: f64, at: &[u64], expected: &str) {
    let limit = RateLimit::new(rate);
    let began = Instant::now();
    let take = |at: &u64| limit.take(None, began + Duration::from_millis(*at)).is_ok();
    let taken: String = at
        .iter()
        .map(|at| if take(at) { '1' } else { '0' })
        .collect();
    assert_eq!(taken, expected);
    assert_eq!(limit.refused(), taken.matches('0').count() as u64);
}

#[test]
fn as_many_as_a_second_has_come_at_once_and_then_one_after_the_other() {
    check(3.0, &[0, 0, 0, 0, 300, 340, 340, 700, 700], "111001010");
    check(3.0, &[0, 10_000, 10_000, 10_000, 10_000], "11110");
    check(0.5, &[0, 1000, 1999, 2001], "1001");
}

#[test]
fn the_wait_is_as_long_as_it_takes() {
    let limit = RateLimit::new(0.1);
    let began = Instant::now();
    assert_eq!(limit.take(None, began), Ok(()));
    let later = began + Duration::from_secs(4);
    let wait = limit.take(None, later).unwrap_err();
    assert!((wait.as_secs_f64() - 6.0).abs() < 1e-6, "{wait:?}");
    assert!(
        limit
            .take(None, later + wait + Duration::from_millis(1))
            .is_ok()
    );
}

#[test]
fn every_key_has_its_own_and_full_ones_are_forgotten() {
    let limit = RateLimit::new(1.0);
    let began = Instant::now();
    let key = |n: usize| Some(Digest::of(&n.to_le_bytes()));
    for n in 0..MANY {
        assert_eq!(limit.take(key(n), began), Ok(()));
        assert!(limit.take(key(n), began).is_err());
    }
    assert_eq!(limit.take(key(MANY), began), Ok(()));
    assert_eq!(limit.buckets.lock().unwrap().len(), MANY + 1);
    let later = began + Duration::from_secs(2);
    assert_eq!(limit.take(key(MANY + 1), later), Ok(()));
    assert_eq!(limit.buckets.lock().unwrap().len(), 1);
}
