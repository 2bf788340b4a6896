//! Datagrams as they travel: encrypted and authenticated with a key that all members have.
//!
//! `version (1) | key (4) | nonce (24) | XChaCha20-Poly1305(plaintext)`, with the version and the cluster's id as
//! associated data. The key is named by the beginning of its digest. The first key of a member seals, all of them
//! open: a new key is added behind the others everywhere, then it is made the first everywhere, then the old one goes.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::Rng;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Refusal;
use crate::limits::{GOSSIP_DATAGRAM_BYTES_MAX, GOSSIP_KEYS_MAX};

/// The version of all that a datagram holds.
const VERSION: u8 = 1;

const KEY_NAME_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// What sealing adds.
pub(super) const OVERHEAD_BYTES: usize = 1 + KEY_NAME_BYTES + NONCE_BYTES + TAG_BYTES;

/// The keys of a member: the first seals, all open.
pub struct GossipKeys(Box<[Key]>);

struct Key {
    name: [u8; KEY_NAME_BYTES],
    cipher: XChaCha20Poly1305,
}

impl GossipKeys {
    /// From 1 to [`GOSSIP_KEYS_MAX`] keys, 32 random bytes each; otherwise none.
    pub fn new(keys: &[Zeroizing<[u8; 32]>]) -> Option<Self> {
        let make = |key: &Zeroizing<[u8; 32]>| Key {
            name: name(key),
            cipher: XChaCha20Poly1305::new((&**key).into()),
        };
        (1..=GOSSIP_KEYS_MAX).contains(&keys.len()).then(|| Self(keys.iter().map(make).collect()))
    }
}

/// What a datagram calls the key: with 32 random bytes behind it, the digest gives nothing away.
fn name(key: &[u8; 32]) -> [u8; KEY_NAME_BYTES] {
    let digest: [u8; 32] = Sha256::new_with_prefix(b"stentor gossip key").chain_update(key).finalize().into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

/// Keys are told apart by their names.
impl core::fmt::Debug for GossipKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| key.name)).finish()
    }
}

/// Seals and opens the datagrams of one cluster.
#[derive(Debug)]
pub struct GossipSeal {
    associated: Box<[u8]>,
    keys: GossipKeys,
}

impl GossipSeal {
    /// For the cluster of this id.
    pub fn new(cluster: &str, keys: GossipKeys) -> Self {
        let associated = [b"stentor gossip ", &[VERSION][..], cluster.as_bytes()].concat().into_boxed_slice();
        Self { associated, keys }
    }

    /// Other keys from now on.
    pub fn set_keys(&mut self, keys: GossipKeys) {
        self.keys = keys;
    }

    /// A datagram. The nonce is long enough to be drawn at random; `chance` must be seeded with real randomness.
    /// None if the plaintext is beyond what any cipher takes.
    pub fn seal(&self, plaintext: &[u8], chance: &mut ChaCha20Rng) -> Option<Vec<u8>> {
        let key = self.keys.0.first()?;
        let mut nonce = [0; NONCE_BYTES];
        chance.fill_bytes(&mut nonce);
        let payload = Payload { msg: plaintext, aad: &self.associated };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some([&[VERSION][..], &key.name, &nonce, &sealed].concat())
    }

    /// The plaintext.
    ///
    /// # Errors
    /// Why it is none of this cluster's.
    pub fn open(&self, datagram: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (version, rest) = datagram.split_first().ok_or(Refusal::Malformed)?;
        if *version != VERSION {
            return Err(Refusal::Version);
        }
        if datagram.len() > GOSSIP_DATAGRAM_BYTES_MAX {
            return Err(Refusal::Malformed);
        }
        let (name, rest) = rest.split_first_chunk::<KEY_NAME_BYTES>().ok_or(Refusal::Malformed)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Refusal::Malformed)?;
        let mut refusal = Refusal::Key;
        for key in self.keys.0.iter().filter(|key| key.name == *name) {
            let payload = Payload { msg: sealed, aad: &self.associated };
            match key.cipher.decrypt(&XNonce::from(*nonce), payload) {
                Ok(plaintext) => return Ok(plaintext),
                Err(_) => refusal = Refusal::Forged,
            }
        }
        Err(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::rand_core::SeedableRng;

    fn keys(bytes: &[u8]) -> GossipKeys {
        let keys: Vec<_> = bytes.iter().map(|byte| Zeroizing::new([*byte; 32])).collect();
        GossipKeys::new(&keys).unwrap()
    }

    #[test]
    fn only_what_was_sealed_for_this_cluster_with_a_known_key_is_opened() {
        let mut chance = ChaCha20Rng::from_seed([1; 32]);
        let seal = GossipSeal::new("c1", keys(&[1, 2]));
        let datagram = seal.seal(b"hello", &mut chance).unwrap();
        assert_eq!(datagram.len(), 5 + OVERHEAD_BYTES);
        assert_eq!(seal.open(&datagram), Ok(b"hello".to_vec()));
        // As members in the field have written it.
        let old = [
            1, 0, 228, 81, 8, 2, 63, 55, 32, 58, 36, 118, 196, 37, 102, 166, 28, 197, 92, 60, 168, 117, 219,
            180, 204, 65, 192, 222, 183, 145, 237, 130, 90, 73, 219, 188, 110, 254, 95, 23, 5, 97, 145, 197,
            92, 13, 97, 192, 153, 148,
        ];
        assert_eq!(seal.open(&old), Ok(b"hello".to_vec()));
        assert_eq!(GossipSeal::new("c1", keys(&[2, 1])).open(&datagram), Ok(b"hello".to_vec()));
        assert_eq!(GossipSeal::new("c1", keys(&[2])).open(&datagram), Err(Refusal::Key));
        assert_eq!(GossipSeal::new("c2", keys(&[1])).open(&datagram), Err(Refusal::Forged));
        assert_ne!(seal.seal(b"hello", &mut chance).unwrap(), datagram, "a nonce is never the same");
        for at in 0..datagram.len() {
            let mut spoilt = datagram.clone();
            spoilt[at] ^= 1;
            let expected = match at {
                0 => Refusal::Version,
                1..5 => Refusal::Key,
                _ => Refusal::Forged,
            };
            assert_eq!(seal.open(&spoilt), Err(expected), "byte {at}");
            assert!(seal.open(&datagram[..at]).is_err(), "cut at {at}");
        }
        let mut long = datagram;
        long.resize(GOSSIP_DATAGRAM_BYTES_MAX + 1, 0);
        assert_eq!(seal.open(&long), Err(Refusal::Malformed));
    }

    #[test]
    fn there_are_some_keys_and_not_too_many() {
        let many = |count: usize| GossipKeys::new(&vec![Zeroizing::new([1; 32]); count]).is_some();
        assert_eq!([0, 1, GOSSIP_KEYS_MAX, GOSSIP_KEYS_MAX + 1].map(many), [false, true, true, false]);
    }
}
