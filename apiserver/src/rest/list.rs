//! Encodes lists. Plain JSON and protobuf are written in batches, so that a long list is never encoded as a whole.

use std::collections::VecDeque;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use jiff::Timestamp;
use prost::Message;
use prost::encoding::{encode_varint, encoded_len_varint};
use serde_json::json;
use squall_api::kinds::Typed;
use squall_api::metav1::v1::ListMeta;
use squall_api::{Error, Kind, Object};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::accept::{Encoding, Shape};
use super::encode::{Writer, envelope_head};
use super::table;
use crate::fairness::{AnswerBytes, turn};
use crate::heavy::HEAVY_BYTES;
use crate::registry::{Listing, any, any_len, decode_stored};
use crate::request::Served;
use crate::store::Entry;

/// Length of the text at which a batch ends.
const BATCH_BYTES: usize = 16 << 10;
/// The tag of field 1, length-delimited: `metadata` of every list.
const METADATA: u8 = 1 << 3 | 2;
/// The tag of field 2, length-delimited: `items` of every list.
const ITEMS: u8 = 2 << 3 | 2;

/// Returns the metadata of a list.
fn list_meta(listing: &Listing) -> ListMeta {
    ListMeta {
        resource_version: listing.revision.to_string(),
        r#continue: listing.next.as_ref().map(|page| page.token()).unwrap_or_default(),
        remaining_item_count: listing.remaining.and_then(|count| i64::try_from(count).ok()),
        ..ListMeta::default()
    }
}

/// Responds to a list request. With large objects in it, it is written on the thread for heavy work, and counts as long.
pub fn respond(listing: Listing, writer: &Writer, heavy: Option<&Handle>) -> Result<Response, Error> {
    let largest = listing.entries.iter().map(|entry| entry.value.len()).max().unwrap_or(0);
    let heavy = heavy.filter(|_| largest >= HEAVY_BYTES);
    let mut response = written(listing, writer, heavy)?;
    if largest >= BATCH_BYTES {
        // One is being written, and one waits to be sent. As text, an object is about twice as long.
        response.extensions_mut().insert(AnswerBytes(largest.saturating_mul(4)));
    }
    Ok(response)
}

fn written(listing: Listing, writer: &Writer, heavy: Option<&Handle>) -> Result<Response, Error> {
    let meta = list_meta(&listing);
    let served = listing.served;
    let entries = VecDeque::from(listing.entries);
    match (writer.format.shape, writer.format.encoding) {
        (Shape::Objects, Encoding::Protobuf) => Ok(protobuf(served.kind, &meta, entries, writer, heavy)),
        (shape, _) => {
            let (head, tail) = json_frame(&served, &meta, shape)?;
            let include = writer.include;
            let now = Timestamp::now();
            let item = move |entry: &Entry| -> Result<Vec<u8>, Error> {
                let object = decode_stored(&served, entry)?;
                match shape {
                    Shape::Objects => Ok(object.to_json_text(Typed::No)),
                    Shape::Table => serde_json::to_vec(&table::row(&object, include, now)).map_err(Error::internal),
                    Shape::Metadata => serde_json::to_vec(&table::partial(&object)).map_err(Error::internal),
                }
            };
            if writer.is_plain_json() {
                return Ok(writer.stream(pieces(head, entries, tail, b",", item, heavy), StatusCode::OK));
            }
            let mut text = head;
            for (place, entry) in entries.iter().enumerate() {
                text.extend(if place == 0 { &b""[..] } else { &b","[..] });
                text.extend(item(entry)?);
            }
            text.extend(tail);
            writer.text(text, StatusCode::OK)
        }
    }
}

/// Returns the text before and after the items.
fn json_frame(served: &Served, meta: &ListMeta, shape: Shape) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let info = served.kind.info();
    let meta = serde_json::to_value(meta).map_err(Error::internal)?;
    let head = match shape {
        Shape::Objects => {
            let (kind, version) = (format!("{}List", info.kind), info.api_version());
            format!("{{\"kind\":{kind:?},\"apiVersion\":{version:?},\"metadata\":{meta},\"items\":[")
        }
        Shape::Metadata => format!(
            "{{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{meta},\"items\":["
        ),
        Shape::Table => {
            let columns = json!(served.columns());
            format!(
                "{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{meta},\"columnDefinitions\":{columns},\"rows\":["
            )
        }
    };
    Ok((head.into_bytes(), b"]}\n".to_vec()))
}

/// Streams a list in batches of objects. A task writes the next batch once the last one was taken: it waits for its turn
/// there, because a body is not polled while its client does not read, and would keep the turn.
fn pieces(
    head: Vec<u8>,
    entries: VecDeque<Entry>,
    tail: Vec<u8>,
    between: &'static [u8],
    item: impl Fn(&Entry) -> Result<Vec<u8>, Error> + Send + 'static,
    heavy: Option<&Handle>,
) -> Body {
    let mut batches = Batches { entries, tail, between, item };
    let (sender, receiver) = mpsc::channel(1);
    let work = async move {
        let mut piece = head;
        // The client may be gone.
        while let Ok(place) = sender.reserve().await {
            let this_turn = turn().await;
            let written = batches.write(piece);
            drop(this_turn);
            // An error aborts the response, so the client notices that the list is incomplete.
            let is_last = batches.entries.is_empty() || written.is_err();
            place.send(written.map_err(std::io::Error::other));
            if is_last {
                return;
            }
            piece = Vec::new();
        }
    };
    match heavy {
        Some(heavy) => drop(heavy.spawn(work)),
        None => drop(tokio::spawn(work)),
    }
    Body::from_stream(stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) }))
}

/// The rest of a list.
struct Batches<F> {
    entries: VecDeque<Entry>,
    tail: Vec<u8>,
    between: &'static [u8],
    item: F,
}

impl<F: Fn(&Entry) -> Result<Vec<u8>, Error>> Batches<F> {
    /// Adds the next objects to a piece, and the tail after the last one. A piece that is empty continues a list.
    fn write(&mut self, mut piece: Vec<u8>) -> Result<Bytes, Error> {
        let mut is_first = !piece.is_empty();
        while piece.len() < BATCH_BYTES
            && let Some(entry) = self.entries.pop_front()
        {
            if !std::mem::take(&mut is_first) {
                piece.extend(self.between);
            }
            piece.extend((self.item)(&entry)?);
        }
        if self.entries.is_empty() {
            piece.extend(&self.tail);
        }
        Ok(piece.into())
    }
}

/// Responds in Kubernetes' protobuf, which states the length of the list in advance.
fn protobuf(
    kind: Kind,
    meta: &ListMeta,
    entries: VecDeque<Entry>,
    writer: &Writer,
    heavy: Option<&Handle>,
) -> Response {
    let info = kind.info();
    let meta = meta.encode_to_vec();
    let framed = |length: usize| encoded_len_varint(length as u64).saturating_add(1).saturating_add(length);
    let items = entries.iter().map(|entry| framed(any_len(&entry.value, entry.mod_revision)));
    let length = items.fold(framed(meta.len()), usize::saturating_add);
    let mut head = envelope_head(length, &format!("{}List", info.kind), &info.api_version());
    put_framed(METADATA, &meta, &mut head);
    let item = move |entry: &Entry| {
        let mut framed = Vec::new();
        put_framed(ITEMS, &any(kind, &entry.value, entry.mod_revision).value, &mut framed);
        Ok(framed)
    };
    let body = pieces(head, entries, Vec::new(), b"", item, heavy);
    writer.stream(body, StatusCode::OK)
}

fn put_framed(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    encode_varint(content.len() as u64, out);
    out.extend(content);
}

/// Responds to the deletion of a collection with the objects that were in it.
pub fn removed(served: &Served, objects: &[Object], writer: &Writer) -> Result<Response, Error> {
    let (mut text, tail) = json_frame(served, &ListMeta::default(), Shape::Objects)?;
    for (place, object) in objects.iter().enumerate() {
        text.extend(if place == 0 { &b""[..] } else { &b","[..] });
        text.extend(object.to_json_text(Typed::No));
    }
    text.extend(tail);
    writer.text(text, StatusCode::OK)
}
