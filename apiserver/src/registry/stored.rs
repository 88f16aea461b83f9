//! Converts between stored bytes and objects. The resource version is not stored. It is appended to the bytes as
//! another piece of `metadata`, which protobuf merges, so that a read needs a copy but no decoding.

use prost::encoding::{encode_varint, encoded_len_varint};
use prost_types::Any;
use squall_api::decode::Expected;
use squall_api::{Error, Kind, Object};

use crate::store::{Entry, Revision};

/// The tag of field 1, length-delimited: `metadata` in every kind.
const METADATA: u8 = 1 << 3 | 2;
/// The tag of field 6, length-delimited: `resourceVersion` in `ObjectMeta`.
const RESOURCE_VERSION: u8 = 6 << 3 | 2;

/// Returns a stored object with its resource version, ready to send.
#[must_use]
pub fn any<'a>(expected: impl Into<Expected<'a>>, value: &[u8], revision: Revision) -> Any {
    let expected = expected.into();
    // A field may have got a default after the object was stored.
    if expected.version.is_some_and(|version| version.has_defaults())
        && let Ok(object) = decode(expected, value, revision)
    {
        return object.to_any();
    }
    with_revision(expected.kind, value, revision)
}

fn with_revision(kind: Kind, value: &[u8], revision: Revision) -> Any {
    let text = revision.to_string();
    let inner = text.len().saturating_add(2);
    let mut bytes = Vec::with_capacity(any_len(value, revision));
    bytes.extend_from_slice(value);
    bytes.push(METADATA);
    encode_varint(inner as u64, &mut bytes);
    bytes.push(RESOURCE_VERSION);
    encode_varint(text.len() as u64, &mut bytes);
    bytes.extend_from_slice(text.as_bytes());
    Any { type_url: kind.type_url(), value: bytes }
}

/// Returns the number of bytes of an object with its resource version.
#[must_use]
pub fn any_len(value: &[u8], revision: Revision) -> usize {
    let digits = revision.checked_ilog10().map_or(1, |log| (log as usize).saturating_add(1));
    let inner = digits.saturating_add(2);
    value.len().saturating_add(1).saturating_add(encoded_len_varint(inner as u64)).saturating_add(inner)
}

/// Decodes a stored object and sets its resource version.
pub fn decode<'a>(expected: impl Into<Expected<'a>>, value: &[u8], revision: Revision) -> Result<Object, Error> {
    let Expected { kind, version } = expected.into();
    let mut object =
        Object::decode(kind, value).map_err(|error| Error::internal(format!("reading stored data: {error}")))?;
    object.meta_mut().resource_version = revision.to_string();
    object.follow(version);
    Ok(object)
}

/// Decodes the object of an entry.
pub fn decode_stored<'a>(expected: impl Into<Expected<'a>>, entry: &Entry) -> Result<Object, Error> {
    decode(expected, &entry.value, entry.mod_revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_api::core::v1::Pod;

    #[test]
    fn the_resource_version_is_merged_into_the_metadata() {
        let mut pod = Pod::default();
        pod.metadata.name = "kubia".to_owned();
        pod.metadata.labels.insert("app".to_owned(), "kubia".to_owned());
        pod.status.phase = "Running".to_owned();
        let stored = Object::from(pod.clone()).encode();
        for revision in [0, 9, 10, 12_345, u64::MAX] {
            assert_eq!(any(Kind::Pod, &stored, revision).value.len(), any_len(&stored, revision), "{revision}");
        }
        let read = Object::from_any(&any(Kind::Pod, &stored, 12_345)).unwrap();
        pod.metadata.resource_version = "12345".to_owned();
        assert_eq!(read, pod.into());
        assert_eq!(read, decode(Kind::Pod, &stored, 12_345).unwrap());
    }
}
