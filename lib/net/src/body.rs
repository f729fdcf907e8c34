//! Reads the body of a reply, no longer and no further than is allowed.

use std::io::Read;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use hyper::header::CONTENT_ENCODING;
use tokio::time::timeout;

use crate::client::Reply;

/// A body, as far as it was read.
pub(crate) enum Body {
    Whole(Vec<u8>),
    /// It is longer than allowed; so much was read.
    Cut(Vec<u8>),
    /// Nothing more came for too long.
    Paused(Vec<u8>),
    /// The connection was lost, and why.
    Lost(Vec<u8>, String),
}

/// Reads at most `limit` bytes, with pauses of at most `idle`.
///
/// No packed body is asked for; where one comes all the same, the limit is on what is in it.
pub(crate) async fn read(reply: &mut Reply<'_>, limit: usize, idle: Duration) -> Body {
    let packed = reply.headers.get(CONTENT_ENCODING).is_some_and(|kind| kind == "gzip");
    let mut body = Vec::new();
    loop {
        match timeout(idle, reply.chunk()).await {
            Err(_) => return Body::Paused(unpacked(packed, body, limit).0),
            Ok(Err(cause)) => return Body::Lost(unpacked(packed, body, limit).0, cause),
            Ok(Ok(None)) => {
                return match unpacked(packed, body, limit) {
                    (body, true) => Body::Cut(body),
                    (body, false) => Body::Whole(body),
                };
            }
            Ok(Ok(Some(chunk))) => {
                let room = limit - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return Body::Cut(body);
                }
            }
        }
    }
}

/// What is in a body, and whether it is more than `limit` bytes.
fn unpacked(packed: bool, body: Vec<u8>, limit: usize) -> (Vec<u8>, bool) {
    if !packed {
        return (body, false);
    }
    let mut plain = Vec::new();
    // What cannot be unpacked is what its reader will say it is.
    let _ = MultiGzDecoder::new(&*body).take(limit as u64 + 1).read_to_end(&mut plain);
    let more = plain.len() > limit;
    plain.truncate(limit);
    (plain, more)
}
