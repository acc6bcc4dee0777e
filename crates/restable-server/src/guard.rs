//! Who may come in: users with passwords, and tokens. A password is kept as what checks it (RFC 5802), a token as its
//! digest; neither is printed, and both are compared in a time that says nothing about them.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// As often a password is hashed, where nothing else is said: what PostgreSQL does.
const ITERATIONS: u32 = 4096;
/// The beginning of a password that is given as what checks it, as PostgreSQL keeps it.
const KEPT: &str = "SCRAM-SHA-256$";
/// Bytes of a salt or nonce.
const SALT: usize = 16;

type Key = [u8; 32];

/// Those who may come in. One without users and tokens lets everybody in.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    users: BTreeMap<String, Password>,
    tokens: Vec<(String, Token)>,
    /// What makes the salt of users that there are not, so that they look as if they were.
    decoy: Secret,
}

/// What checks a password.
#[derive(Clone)]
pub(crate) struct Password {
    iterations: u32,
    salt: Vec<u8>,
    stored: Key,
    server: Key,
}

#[derive(Clone)]
struct Token(Key);

#[derive(Clone, Default)]
struct Secret(Key);

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// A line that is no user or token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It is not written `name:secret`.
    #[error("line {0} is not written `name:secret`")]
    Form(usize),
    /// The name stands on another line already.
    #[error("line {0} names a user that an earlier line names")]
    Twice(usize),
    /// It begins as what checks a password, and is none.
    #[error("line {0} begins with `SCRAM-SHA-256$`, and what follows is not of that form")]
    Kept(usize),
    /// There are no random numbers.
    #[error("the machine has no random numbers")]
    Random,
}

impl Guard {
    /// Takes users from lines `name:password`. A password may be given as PostgreSQL keeps it, `SCRAM-SHA-256$…`. Empty
    /// lines and lines that begin with `#` say nothing.
    pub fn add_users(&mut self, lines: &str) -> Result<(), BadLine> {
        random(&mut self.decoy.0).ok_or(BadLine::Random)?;
        for (number, name, secret) in pairs(lines) {
            let (name, secret) = (name.ok_or(BadLine::Form(number))?, secret);
            let password = match secret.strip_prefix(KEPT) {
                Some(kept) => Password::kept(kept).ok_or(BadLine::Kept(number))?,
                None => Password::new(secret).ok_or(BadLine::Random)?,
            };
            if self.users.insert(name.to_owned(), password).is_some() {
                return Err(BadLine::Twice(number));
            }
        }
        Ok(())
    }

    /// Takes tokens from lines `name:token`.
    pub fn add_tokens(&mut self, lines: &str) -> Result<(), BadLine> {
        for (number, name, secret) in pairs(lines) {
            let name = name.ok_or(BadLine::Form(number))?;
            self.tokens
                .push((name.to_owned(), Token(Sha256::digest(secret).into())));
        }
        Ok(())
    }

    /// Whether there are users.
    pub fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// Whether anybody has to show who he is to a server of Flight SQL.
    pub fn has_any(&self) -> bool {
        self.has_users() || !self.tokens.is_empty()
    }

    /// The name that goes with a token.
    pub(crate) fn token(&self, shown: &str) -> Option<&str> {
        let shown: Key = Sha256::digest(shown).into();
        // All are looked at, so that the time does not tell which is like it.
        let mut found = None;
        for (name, token) in &self.tokens {
            if equal(&token.0, &shown) {
                found = Some(name.as_str());
            }
        }
        found
    }

    /// Whether this is the user's password.
    pub(crate) fn password(&self, user: &str, shown: &str) -> bool {
        let kept = self.of_user(user);
        let salted = salted(shown.as_bytes(), &kept.salt, kept.iterations);
        let stored: Key = Sha256::digest(keyed(&salted, b"Client Key")).into();
        equal(&stored, &kept.stored) && self.users.contains_key(user)
    }

    /// What checks the password of a user; for one that there is not, something that no password fits.
    pub(crate) fn of_user(&self, user: &str) -> Password {
        self.users.get(user).cloned().unwrap_or_else(|| {
            let salt = keyed(&self.decoy.0, user.as_bytes());
            Password {
                iterations: ITERATIONS,
                salt: salt[..SALT].to_vec(),
                stored: keyed(&self.decoy.0, &salt),
                server: salt,
            }
        })
    }
}

/// The lines of a file with their numbers: name and secret. The name is absent where the form is wrong.
fn pairs(lines: &str) -> impl Iterator<Item = (usize, Option<&str>, &str)> {
    let said = (1..).zip(lines.lines()).filter(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    said.map(|(number, line)| match line.split_once(':') {
        Some((name, secret)) if !name.trim().is_empty() && !secret.is_empty() => {
            (number, Some(name.trim()), secret.trim_end_matches('\r'))
        }
        _ => (number, None, ""),
    })
}

impl Password {
    fn new(password: &str) -> Option<Password> {
        let mut salt = vec![0; SALT];
        random(&mut salt)?;
        let salted = salted(password.as_bytes(), &salt, ITERATIONS);
        Some(Password {
            iterations: ITERATIONS,
            stored: Sha256::digest(keyed(&salted, b"Client Key")).into(),
            server: keyed(&salted, b"Server Key"),
            salt,
        })
    }

    /// `4096:<salt>$<stored key>:<server key>`.
    fn kept(text: &str) -> Option<Password> {
        let (first, keys) = text.split_once('$')?;
        let (iterations, salt) = first.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let key = |text: &str| -> Option<Key> { BASE64.decode(text).ok()?.try_into().ok() };
        Some(Password {
            iterations: iterations.parse().ok().filter(|count| *count > 0)?,
            salt: BASE64.decode(salt).ok()?,
            stored: key(stored)?,
            server: key(server.trim_end())?,
        })
    }
}

fn salted(password: &[u8], salt: &[u8], iterations: u32) -> Key {
    let mut block = keyed(password, &[salt, &1_u32.to_be_bytes()].concat());
    let mut sum = block;
    for _ in 1..iterations {
        block = keyed(password, &block);
        for (all, one) in sum.iter_mut().zip(block) {
            *all ^= one;
        }
    }
    sum
}

fn keyed(key: &[u8], text: &[u8]) -> Key {
    // A key of any length will do.
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(text);
            mac.finalize().into_bytes().into()
        }
        Err(_) => Key::default(),
    }
}

fn equal(one: &Key, other: &Key) -> bool {
    let differ = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(differ) == 0
}

/// Fills `bytes` with what nobody can guess.
pub(crate) fn random(bytes: &mut [u8]) -> Option<()> {
    let provider = rustls::crypto::ring::default_provider();
    provider.secure_random.fill(bytes).ok()
}

/// A name that nobody can guess.
pub(crate) fn secret_name() -> Option<String> {
    let mut bytes = [0; SALT];
    random(&mut bytes)?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// SCRAM-SHA-256 from the server's side, without channel binding.
#[derive(Debug)]
pub(crate) struct Scram {
    password: Password,
    /// What both sides said first.
    said: String,
    /// The beginning of the client's last message: its channel binding and both nonces.
    last: String,
}

/// Why a client does not come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It does not keep to the exchange.
    Malformed(&'static str),
    /// The password is wrong, or there is no such user.
    Password,
}

impl Scram {
    /// Takes the client's first message; answers the server's.
    pub(crate) fn begin(password: Password, first: &str) -> Result<(Scram, String), Refused> {
        let malformed = Refused::Malformed;
        let bare = match first.split_once(',') {
            Some(("n" | "y", rest)) => rest.split_once(',').map(|(_, bare)| bare),
            Some((other, _)) if other.starts_with("p=") => {
                return Err(malformed("channel binding was not offered"));
            }
            _ => None,
        };
        let bare = bare.ok_or(malformed("the first message is of no known form"))?;
        let header = &first[..first.len() - bare.len()];
        let theirs = bare
            .split(',')
            .find_map(|part| part.strip_prefix("r="))
            .filter(|nonce| !nonce.is_empty())
            .ok_or(malformed("the first message has no nonce"))?;
        if bare.starts_with("m=") {
            return Err(malformed("an extension is asked for that is not known"));
        }
        let own = secret_name().ok_or(malformed("the machine has no random numbers"))?;
        let nonce = format!("{theirs}{own}");
        let salt = BASE64.encode(&password.salt);
        let answer = format!("r={nonce},s={salt},i={}", password.iterations);
        let scram = Scram {
            last: format!("c={},r={nonce}", BASE64.encode(header)),
            said: format!("{bare},{answer}"),
            password,
        };
        Ok((scram, answer))
    }

    /// Takes the client's last message; answers the server's.
    pub(crate) fn end(self, last: &str) -> Result<String, Refused> {
        let malformed = Refused::Malformed("the last message is of no known form");
        let (without, proof) = last.rsplit_once(",p=").ok_or(malformed.clone())?;
        if without != self.last {
            return Err(Refused::Malformed(
                "the nonce or the channel binding is another",
            ));
        }
        let proof: Key = BASE64
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or(malformed)?;
        let all = format!("{},{without}", self.said);
        let mut client = keyed(&self.password.stored, all.as_bytes());
        for (one, shown) in client.iter_mut().zip(proof) {
            *one ^= shown;
        }
        if !equal(&Sha256::digest(client).into(), &self.password.stored) {
            return Err(Refused::Password);
        }
        let signature = keyed(&self.password.server, all.as_bytes());
        Ok(format!("v={}", BASE64.encode(signature)))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "in a test a panic is the message")]
mod tests {
    use super::*;

    /// The exchange of RFC 7677.
    #[test]
    fn the_exchange_of_the_standard() {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let salted = salted(b"pencil", &salt, 4096);
        let password = Password {
            iterations: 4096,
            stored: Sha256::digest(keyed(&salted, b"Client Key")).into(),
            server: keyed(&salted, b"Server Key"),
            salt,
        };
        let scram = Scram {
            password,
            said: "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".to_owned(),
            last: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned(),
        };
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(
            scram.end(last).as_deref(),
            Ok("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        );
    }

    #[test]
    fn users_and_tokens_of_files() {
        let mut guard = Guard::default();
        assert!(!guard.has_any());
        // The second is what PostgreSQL 16 keeps of `pencil` with the salt of the standard.
        let kept = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        guard
            .add_users(&format!("# users\nann:secret: with colon\n\nbob:{kept}\n"))
            .unwrap();
        guard.add_tokens("robot:0123456789\r\n").unwrap();
        assert!(guard.password("ann", "secret: with colon"));
        assert!(!guard.password("ann", "secret"));
        assert!(guard.password("bob", "pencil"));
        assert!(!guard.password("eve", "pencil"));
        assert_eq!(guard.token("0123456789"), Some("robot"));
        assert_eq!(guard.token("0123456788"), None);
        assert!(!format!("{guard:?}").contains("secret"));
        assert_eq!(
            Guard::default().add_users("ann:x\nnobody"),
            Err(BadLine::Form(2))
        );
        assert_eq!(
            Guard::default().add_users("a:x\na:y"),
            Err(BadLine::Twice(2))
        );
        assert_eq!(
            Guard::default().add_users("a:SCRAM-SHA-256$4096:x"),
            Err(BadLine::Kept(1))
        );
    }

    #[test]
    fn a_user_that_is_not_there_looks_like_one() {
        let mut guard = Guard::default();
        guard.add_users("ann:secret").unwrap();
        let salt = |user: &str| guard.of_user(user).salt;
        assert_eq!(salt("eve"), salt("eve"));
        assert_ne!(salt("eve"), salt("bob"));
        let (scram, answer) = Scram::begin(guard.of_user("eve"), "n,,n=,r=abc").unwrap();
        let nonce = answer.split(',').next().unwrap();
        let last = format!("c=biws,{nonce},p={}", BASE64.encode([0; 32]));
        assert_eq!(scram.end(&last), Err(Refused::Password));
    }
}
