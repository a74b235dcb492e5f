//! Passwords: Argon2id on threads of its own, which give way to all others, so that a flood of
//! sign-ins never starves tokens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use keywright_protocol::limits::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use keywright_protocol::secret::Secret;
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::sync::oneshot;

use crate::environment::{Environment, SlowLane, SlowWork, random};
use crate::error::ServerFault;

/// The OWASP minimum for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How far the first thread stands back: a tenth of a processor where others want it, all of it
/// else. Sign-ins never stand still. 0 is a niceness of 19, 99 one of -20, and this one of 10.
const FIRST_PRIORITY: u8 = 22;

/// Whether a password fits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PasswordVerdict {
    /// It does.
    Matches,
    /// It does not, or the account has none.
    Wrong,
}

/// A bounded place for slow hashing.
pub struct Passwords {
    lane: SlowLane,
    waiting: Arc<AtomicUsize>,
    queue_max: usize,
    unknown: Arc<Unknown>,
}

/// What the password of an account that does not exist is compared with; made when first needed.
struct Unknown {
    password: Secret<String>,
    salt: [u8; 16],
    hash: OnceLock<String>,
}

impl Unknown {
    fn hash(&self) -> &str {
        // An empty hash matches nothing either; it could only be quicker.
        self.hash.get_or_init(|| hash_now(&self.password, self.salt).unwrap_or_default())
    }
}

impl Passwords {
    /// `threads` hash at once; beyond `queue_max` waiting callers the next is sent away.
    pub fn new(threads: usize, queue_max: usize, environment: &dyn Environment) -> Self {
        let password = Secret::new(keywright_jose::base64url_encode(&random::<24>(environment)));
        let unknown = Unknown { password, salt: random(environment), hash: OnceLock::new() };
        let lane = environment.slow_lane(threads);
        Self { lane, waiting: Arc::new(AtomicUsize::new(0)), queue_max, unknown: Arc::new(unknown) }
    }

    /// Compares a password with a stored hash. An account that does not exist, or has no password,
    /// takes just as long.
    pub async fn verify(
        &self,
        password: Secret<String>,
        stored: Option<String>,
    ) -> Result<PasswordVerdict, ServerFault> {
        let known = stored.is_some();
        let unknown = Arc::clone(&self.unknown);
        let fits = self.run(move || {
            let hash = stored.as_deref().unwrap_or_else(|| unknown.hash());
            matches(&password, hash)
        });
        let fits = fits.await?;
        Ok(if fits && known { PasswordVerdict::Matches } else { PasswordVerdict::Wrong })
    }

    /// Hashes a password that somebody chose.
    pub async fn hash(
        &self,
        password: Secret<String>,
        environment: &dyn Environment,
    ) -> Result<String, ServerFault> {
        let salt = random(environment);
        self.run(move || hash_now(&password, salt)).await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServerFault> {
        const STOPPED: ServerFault = ServerFault::Overload("password hashing has stopped");
        let _place = Place::take(&self.waiting, self.queue_max)?;
        let (caller, answer) = oneshot::channel();
        let work = Box::new(move || {
            // Nobody needs the answer to who has gone.
            if !caller.is_closed() {
                let _gone = caller.send(work());
            }
        });
        (self.lane)(work);
        answer.await.map_err(|_| STOPPED)
    }
}

/// The lane of a real machine: threads that end when nobody can ask any more.
pub(crate) fn threads(count: usize) -> SlowLane {
    let (work, given) = channel();
    let given = Arc::new(Mutex::new(given));
    for place in 0..count.max(1) {
        let given = Arc::clone(&given);
        let thread = thread::Builder::new().name("password".to_owned());
        if let Err(error) = thread.spawn(move || serve(place, &given)) {
            tracing::error!(%error, "a thread for passwords could not be started");
        }
    }
    // Where no thread works, the piece is dropped, and with it what its caller waits for.
    Box::new(move |piece| drop(work.send(piece)))
}

/// Works until nobody can ask any more.
fn serve(place: usize, given: &Mutex<Receiver<SlowWork>>) {
    stand_back(place);
    loop {
        let work = given.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match work {
            Ok(work) => work(),
            Err(_) => return,
        }
    }
}

/// All threads but the first take only what is left over: whoever wakes up to answer a request gets
/// their processor at once, where the first keeps his for the rest of its turn.
fn stand_back(place: usize) {
    let (policy, priority) = match place {
        0 => (NormalThreadSchedulePolicy::Other, FIRST_PRIORITY.try_into()),
        _ => (NormalThreadSchedulePolicy::Idle, Ok(ThreadPriority::Min)),
    };
    let Ok(priority) = priority else { return };
    let policy = ThreadSchedulePolicy::Normal(policy);
    // Where a process that stands further back may not come forward, or the system knows no such
    // thing, sign-ins take another share of the processors: worse, not wrong.
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), priority, policy) {
        tracing::debug!(%error, "sign-ins keep the priority of the process");
    }
}

/// A place in the queue, given back when the caller is served or goes away.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>, max: usize) -> Result<Self, ServerFault> {
        if waiting.fetch_add(1, Ordering::AcqRel) >= max {
            waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(ServerFault::Overload("too many sign-ins wait for their password"));
        }
        Ok(Self(Arc::clone(waiting)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn argon2() -> Result<Argon2<'static>, ServerFault> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|e| ServerFault::Internal(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &Secret<String>, salt: [u8; 16]) -> Result<String, ServerFault> {
    let hash = argon2()?
        .hash_password_with_salt(password.expose().as_bytes(), &salt)
        .map_err(|e| ServerFault::Internal(e.to_string()))?;
    Ok(hash.to_string())
}

fn matches(password: &Secret<String>, hash: &str) -> bool {
    // The stored hash names its own parameters, so old ones keep working.
    Argon2::default().verify_password(password.expose().as_bytes(), hash).is_ok()
}

/// What is wrong with a password that somebody wants to set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PasswordRefused {
    /// Longer than anything a person types.
    #[error("is longer than {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    /// Too easy to guess.
    #[error("is shorter than {PASSWORD_CHARS_MIN} characters")]
    TooShort,
}

/// Checks a password that somebody wants to set.
pub fn check_new(password: &Secret<String>) -> Result<(), PasswordRefused> {
    let text = password.expose();
    if text.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordRefused::TooLong);
    }
    if text.chars().count() < PASSWORD_CHARS_MIN {
        return Err(PasswordRefused::TooShort);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::SystemEnvironment;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_matches_itself_alone() {
        let passwords = Passwords::new(1, 8, &SystemEnvironment);
        let hash = passwords.hash(secret("correct horse"), &SystemEnvironment).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verdict = |text, hash| passwords.verify(secret(text), hash);
        assert_eq!(
            verdict("correct horse", Some(hash.clone())).await.unwrap(),
            PasswordVerdict::Matches
        );
        assert_eq!(verdict("wrong horse", Some(hash)).await.unwrap(), PasswordVerdict::Wrong);
        assert_eq!(verdict("anything", None).await.unwrap(), PasswordVerdict::Wrong);
    }

    #[tokio::test]
    async fn beyond_the_queue_the_next_is_sent_away() {
        let passwords = Arc::new(Passwords::new(1, 2, &SystemEnvironment));
        let tries = (0..6).map(|_| {
            let passwords = Arc::clone(&passwords);
            tokio::spawn(async move { passwords.verify(secret("x"), None).await })
        });
        let mut overloaded = 0;
        for attempt in tries.collect::<Vec<_>>() {
            overloaded += usize::from(attempt.await.unwrap().is_err());
        }
        assert!((1..=4).contains(&overloaded), "{overloaded}");
        assert!(passwords.verify(secret("x"), None).await.is_ok(), "the queue is free again");
    }
}
