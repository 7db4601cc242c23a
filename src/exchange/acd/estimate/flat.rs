//! What was learned as bytes, and back to the last bit: numbers little-endian, each list after its length.
//!
//! Invariant: whatever bytes come, reading ends: no length is believed that the bytes behind it could not have.
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::base::{Instant, Language, QueueId, SkillId};

/// A value that can be written as bytes.
pub(in crate::exchange::acd) trait Flat: Sized {
    /// Writes it.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads it. `None`: these bytes are none.
    fn take(from: &mut &[u8]) -> Option<Self>;
}

/// A structure is its fields, one after the other.
macro_rules! flat {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl $crate::exchange::acd::estimate::Flat for $type {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
            fn take(from: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: $crate::exchange::acd::estimate::Flat::take(from)?),* })
            }
        }
    };
}
pub(in crate::exchange::acd) use flat;

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Flat for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }
            fn take(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}
numbers!(u8, u32, u64, f32, f64);

impl Flat for usize {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u64).put(out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        u64::take(from)?.try_into().ok()
    }
}

impl Flat for bool {
    fn put(&self, out: &mut Vec<u8>) {
        u8::from(*self).put(out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        u8::take(from).map(|n| n != 0)
    }
}

impl Flat for Instant {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_nanos().put(out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        u64::take(from).map(Self::from_nanos)
    }
}

impl Flat for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.len(), self.as_bytes(), out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Self::from_utf8(Vec::take(from)?).ok()
    }
}

macro_rules! names {
    ($($type:ty),*) => {$(
        impl Flat for $type {
            fn put(&self, out: &mut Vec<u8>) {
                self.as_str().to_owned().put(out);
            }
            fn take(from: &mut &[u8]) -> Option<Self> {
                String::take(from).map(|name| name.as_str().into())
            }
        }
    )*};
}
names!(QueueId, SkillId);

impl Flat for Language {
    fn put(&self, out: &mut Vec<u8>) {
        self.code().to_owned().put(out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Self::from_code(&String::take(from)?)
    }
}

impl<T: Flat> Flat for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(some) = self {
            some.put(out);
        }
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(if bool::take(from)? { Some(T::take(from)?) } else { None })
    }
}

fn put_all<'t, T: Flat + 't>(len: usize, all: impl IntoIterator<Item = &'t T>, out: &mut Vec<u8>) {
    len.put(out);
    all.into_iter().for_each(|one| one.put(out));
}

impl<T: Flat> Flat for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.len(), self, out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        // Each has a byte at least.
        let len = usize::take(from).filter(|len| *len <= from.len())?;
        (0..len).map(|_| T::take(from)).collect()
    }
}

impl<T: Flat> Flat for VecDeque<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.len(), self, out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Vec::take(from).map(Self::from)
    }
}

impl<T: Flat> Flat for Box<[T]> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.len(), self.iter(), out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Vec::take(from).map(Self::from)
    }
}

impl<T: Flat, const N: usize> Flat for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        for one in self {
            one.put(out);
        }
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        (0..N).map(|_| T::take(from)).collect::<Option<Vec<T>>>()?.try_into().ok()
    }
}

impl<A: Flat, B: Flat> Flat for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

impl<K: Flat + Ord, V: Flat> Flat for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        Vec::<(K, V)>::take(from).map(|all| all.into_iter().collect())
    }
}

impl<T: Flat> Flat for Arc<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        T::take(from).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_to_the_last_bit() {
        let numbers = vec![0.1 + 0.2, f64::MIN_POSITIVE, -0.0, f64::INFINITY];
        let all = (Some("一 a".to_owned()), BTreeMap::from([(3_u8, numbers)]));
        let mut bytes = Vec::new();
        all.put(&mut bytes);
        let from = &mut bytes.as_slice();
        let back = <(Option<String>, BTreeMap<u8, Vec<f64>>)>::take(from).unwrap();
        assert!(from.is_empty());
        let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!((&back.0, bits(&back.1[&3])), (&all.0, bits(&all.1[&3])));
    }

    #[test]
    fn no_bytes_are_believed_beyond_what_is_there() {
        let mut bytes = Vec::new();
        u64::MAX.put(&mut bytes);
        assert_eq!(Vec::<f64>::take(&mut bytes.as_slice()), None);
        for cut in 0..bytes.len() {
            assert_eq!(u64::take(&mut &bytes[..cut]), None);
        }
    }
}
