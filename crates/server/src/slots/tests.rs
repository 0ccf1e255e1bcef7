use super::*;

fn of(address: &str) -> Client {
    Client::Network(network(address.parse().unwrap()))
}

#[test]
fn a_client_has_its_share_and_all_have_the_rest() {
    let slots = Slots::new(3, 2);
    let take = |client| slots.take(client).map_err(|full| format!("{full:?}"));
    let (ann, bob) = (of("192.0.2.1"), of("192.0.2.2"));
    let first = take(ann).unwrap();
    let _second = take(ann).unwrap();
    assert_eq!(take(ann).err().unwrap(), "Share(2)");
    let third = take(bob).unwrap();
    assert_eq!(take(bob).err().unwrap(), "All");
    drop((first, third));
    assert_eq!(
        slots.taken().len(),
        1,
        "a client without files is remembered"
    );
    assert!(take(bob).is_ok());
}

#[test]
fn addresses_of_one_network_are_one_client() {
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
    assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
}
