//! API keys: kept as digests, compared in constant time.

use artifact::Digest;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::arguments::Scope;

/// The keys that open the service; empty when it asks for none.
#[derive(Debug, Default)]
pub struct KeyRing {
    keys: Vec<Key>,
}

/// What a presented key has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// What it may do.
    pub scope: Scope,
    /// By what it is told from others.
    pub digest: Digest,
}

/// A key, without the key itself.
#[derive(Debug)]
struct Key {
    name: String,
    scope: Scope,
    digest: Digest,
}

impl KeyRing {
    /// Parses lines of `NAME SCOPE SHA256`; empty ones and those after `#` do not count.
    ///
    /// Several keys may share a name, so that a new one can be handed out before the old one goes.
    ///
    /// # Errors
    /// The number of the first line that is none, never its text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().enumerate();
        let lines = lines.map(|(at, line)| (at + 1, line.trim()));
        lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(at, line)| Key::parse(line).map_err(|e| format!("line {at}: {e}")))
            .collect::<Result<_, _>>()
            .map(|keys| Self { keys })
    }

    /// Adds other keys.
    pub fn with(mut self, other: Self) -> Self {
        self.keys.extend(other.keys);
        self
    }

    /// Returns whether the service asks for no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns whether any key may administer.
    pub fn may_administer(&self) -> bool {
        self.keys.iter().any(|key| key.scope == Scope::Admin)
    }

    /// Returns what a presented key opens; `None` when it is none of these.
    pub fn find(&self, presented: &str) -> Option<Granted> {
        self.find_digest(Digest::of(presented.as_bytes()))
    }

    /// Returns what the key of a digest opens.
    ///
    /// Every key is compared whole: how long it takes says nothing about any of them.
    pub fn find_digest(&self, digest: Digest) -> Option<Granted> {
        let mut found = 0_u8;
        for key in &self.keys {
            let equal: Choice = key.digest.as_bytes().ct_eq(digest.as_bytes());
            found.conditional_assign(&(1 + key.scope as u8), equal);
        }
        let scope = match found {
            0 => return None,
            1 => Scope::Predict,
            _ => Scope::Admin,
        };
        Some(Granted { scope, digest })
    }
}

impl Key {
    fn parse(line: &str) -> Result<Self, String> {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [name, scope, digest] = parts[..] else {
            return Err(format!("{} words, not NAME SCOPE SHA256", parts.len()));
        };
        let scope = match scope {
            "predict" => Scope::Predict,
            "admin" => Scope::Admin,
            _ => return Err("the scope is neither `predict` nor `admin`".to_owned()),
        };
        let digest = digest
            .parse()
            .map_err(|_| "the third word is no SHA-256 digest".to_owned())?;
        let name = name.to_owned();
        Ok(Self {
            name,
            scope,
            digest,
        })
    }

    fn line(&self) -> String {
        let scope = match self.scope {
            Scope::Predict => "predict",
            Scope::Admin => "admin",
        };
        format!("{} {scope} {}", self.name, self.digest)
    }
}

/// Makes a key of 256 random bits; returns it with its line for the file of keys.
///
/// # Errors
/// When the name has spaces or `;`, or the system gives no randomness.
pub fn make(name: &str, scope: Scope) -> Result<(String, String), String> {
    // Lines end with `;` in the environment.
    let is_no_part = |c: char| c.is_whitespace() || c == ';';
    if name.is_empty() || name.starts_with('#') || name.contains(is_no_part) {
        return Err(format!(
            "`{name}` is no name of a key: use a word without `;`"
        ));
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|e| format!("the system gives no randomness: {e}"))?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("netsec_{digits}");
    let name = name.to_owned();
    let digest = Digest::of(key.as_bytes());
    let line = Key {
        name,
        scope,
        digest,
    }
    .line();
    Ok((key, line))
}

#[cfg(test)]
mod tests;
