//! How many files are taken at a time, and how many of them from one client.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::{HttpMessage as _, HttpRequest};
use artifact::Digest;

use crate::keys::Granted;

/// The slots that files take while they are scored.
pub struct Slots {
    most: usize,
    most_each: usize,
    taken: Mutex<BTreeMap<Client, usize>>,
}

/// Whose file, or body, it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    /// Whoever has this key.
    Key(Digest),
    /// Whoever calls from this network, where no keys are asked for.
    Network(IpAddr),
    /// Whoever calls without one, as a fuzzer does.
    Unknown,
}

/// A slot; it is given back when it is dropped.
pub struct Slot {
    slots: Arc<Slots>,
    client: Client,
}

/// Which slots are all taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Full {
    /// Everybody's.
    All,
    /// So many that this client may have.
    Share(usize),
}

impl Slots {
    /// Makes free slots, of which one client may have a share.
    pub fn new(most: usize, most_each: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_each,
            taken: Mutex::default(),
        })
    }

    /// Takes a slot.
    ///
    /// # Errors
    /// [`Full`].
    pub fn take(self: &Arc<Self>, client: Client) -> Result<Slot, Full> {
        let mut taken = self.taken();
        if taken.get(&client).copied().unwrap_or(0) >= self.most_each {
            return Err(Full::Share(self.most_each));
        }
        if taken.values().sum::<usize>() >= self.most {
            return Err(Full::All);
        }
        *taken.entry(client).or_default() += 1;
        Ok(Slot {
            slots: Arc::clone(self),
            client,
        })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<Client, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        if let Some(n) = taken.get_mut(&self.client) {
            *n -= 1;
            if *n == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

impl Client {
    /// Tells who sends a request that was let in.
    pub fn of(request: &HttpRequest) -> Self {
        if let Some(granted) = request.extensions().get::<Granted>() {
            return Self::Key(granted.digest);
        }
        let peer = request.peer_addr();
        peer.map_or(Self::Unknown, |peer| Self::Network(network(peer.ip())))
    }
}

/// Returns an address of version 4, or the network of one of version 6 that a subscriber mostly has
/// to himself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

#[cfg(test)]
mod tests;
