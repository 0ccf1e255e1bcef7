//! Who asks: found once, and what is secret in it remembered, so that no message shows it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use artifact::clock;
use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, SharedCredentialsProvider, future},
};

/// Credentials that end sooner are asked for anew.
const LEAST: Duration = Duration::from_secs(300);

/// Finds credentials, for the client and for us.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    provider: SharedCredentialsProvider,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    last: Option<Credentials>,
    /// Those of all that were found: an answer may be about an earlier one.
    secrets: BTreeSet<String>,
}

impl Login {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            known: Arc::default(),
        }
    }

    /// Returns whether nothing was found yet.
    #[cfg(feature = "s3")]
    pub(crate) fn is_new(&self) -> bool {
        self.known().last.is_none()
    }

    /// Returns credentials that were found before and still hold for a while.
    fn last(&self) -> Option<Credentials> {
        let soon = SystemTime::from(clock::now()) + LEAST;
        let last = self.known().last.clone();
        last.filter(|found| found.expiry().is_none_or(|end| end > soon))
    }

    /// Takes out of a text what is secret.
    pub(crate) fn masked(&self, text: &str) -> String {
        let known = self.known();
        let secrets = known.secrets.iter();
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    async fn find(&self) -> provider::Result {
        if let Some(found) = self.last() {
            return Ok(found);
        }
        let found = self.provider.provide_credentials().await?;
        let mut known = self.known();
        let secrets = [Some(found.secret_access_key()), found.session_token()];
        let secrets = secrets.into_iter().flatten().filter(|s| !s.is_empty());
        known.secrets.extend(secrets.map(str::to_owned));
        known.last = Some(found.clone());
        Ok(found)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for Login {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.find())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Gives another secret each time, with some seconds to live.
    #[derive(Debug)]
    struct Renewed(AtomicU32, u64);

    impl ProvideCredentials for Renewed {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let secret = format!("secret-{}", self.0.fetch_add(1, Ordering::SeqCst));
            let end = SystemTime::from(clock::now()) + Duration::from_secs(self.1);
            let found = Credentials::new("id", secret, Some("token".to_owned()), Some(end), "test");
            future::ProvideCredentials::ready(Ok(found))
        }
    }

    fn check(seconds: u64, expected: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let provider = SharedCredentialsProvider::new(Renewed(AtomicU32::default(), seconds));
        let login = Login::new(provider);
        for _ in 0..2 {
            let found = runtime
                .as_ref()
                .unwrap()
                .block_on(login.provide_credentials());
            found.unwrap();
        }
        assert_eq!(login.masked("secret-0 secret-1 token id"), expected);
    }

    #[test]
    fn those_that_last_are_found_once_and_every_secret_that_was_found_is_masked() {
        check(3600, "*** secret-1 *** id");
        check(60, "*** *** *** id");
    }
}
