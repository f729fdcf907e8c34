//! Requests to one server over connections that are kept open.
//!
//! A request carries its own connection on, in its own task: nothing is spawned, handed over or woken
//! for it, which is what most of the time of a small request goes into otherwise.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use seval_core::{Error, Result};
use tokio::time::{Instant, timeout};
use url::{Position, Url};

use crate::address::{deepest, shown};
use crate::connect::{Connector, Stream};
use crate::connection::Connection;

/// How long a connection is kept that nobody uses: common servers close theirs after 5 s, and a
/// request that meets the close may be charged for and be lost.
const KEPT: Duration = Duration::from_secs(4);

/// A client of one address.
#[derive(Debug)]
pub(crate) struct Client {
    connector: Connector,
    connect_timeout: Duration,
    uri: Uri,
    headers: HeaderMap,
    /// The one used last is the last.
    idle: Mutex<Vec<Open>>,
}

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection came about: nothing was sent.
    Unreachable(String),
    /// The connection was lost with the request on it.
    Lost(String),
}

/// A reply whose body is still to come. Dropping it closes the connection.
pub(crate) struct Reply<'c> {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    /// None once the body has ended.
    open: Option<Open>,
    client: &'c Client,
}

/// An open connection.
#[derive(Debug)]
struct Open {
    send: SendRequest<Full<Bytes>>,
    connection: Box<http1::Connection<Box<dyn Stream>, Full<Bytes>>>,
    has_ended: bool,
    used: Instant,
}

impl Client {
    /// For requests to that address with these headers. Nothing is sent.
    pub fn new(url: &Url, headers: &HeaderMap, connection: &Connection) -> Result<Self> {
        let bad = |error: &dyn std::fmt::Display| Error::usage(shown(url), error);
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let mut headers = headers.clone();
        headers.insert(HOST, HeaderValue::from_str(host).map_err(|error| bad(&error))?);
        // Its place, so that copies need not grow.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let agent = concat!("seval/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        Ok(Self {
            connector: Connector::new(url, connection)?,
            connect_timeout: connection.connect_timeout,
            uri: path.parse().map_err(|error| bad(&error))?,
            headers,
            idle: Mutex::default(),
        })
    }

    /// Posts a body once and waits for the head of the reply.
    pub async fn post(&self, body: Bytes) -> Result<Reply<'_>, Failure> {
        let mut request = self.request(body);
        loop {
            let (mut open, is_new) = match self.take_idle() {
                Some(open) => (open, false),
                // Connecting takes much room, and is rare.
                None => (Box::pin(self.open()).await?, true),
            };
            if !open.is_ready().await {
                match is_new {
                    true => return Err(Failure::Unreachable("closed at once".to_owned())),
                    false => continue,
                }
            }
            let sent = open.send.try_send_request(request);
            match open.carry_on(sent).await {
                Ok(response) => return Ok(self.reply(response, open)),
                Err(mut error) => match error.take_message() {
                    // Not a byte of it was sent: the server had closed the connection before.
                    Some(unsent) if !is_new => request = unsent,
                    Some(_) => {
                        return Err(Failure::Unreachable(deepest(error.error()).to_string()));
                    }
                    None => return Err(Failure::Lost(deepest(error.error()).to_string())),
                },
            }
        }
    }

    fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_LENGTH, body.len().into());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        request
    }

    fn reply(&self, response: Response<Incoming>, open: Open) -> Reply<'_> {
        let (head, body) = response.into_parts();
        Reply { status: head.status, headers: head.headers, body, open: Some(open), client: self }
    }

    async fn open(&self) -> Result<Open, Failure> {
        let limit = self.connect_timeout;
        let stream = timeout(limit, self.connector.connect()).await.map_err(|_| {
            Failure::Unreachable(format!("no connection within {} s", limit.as_secs_f32()))
        })?;
        let stream = stream.map_err(|error| Failure::Unreachable(deepest(&*error).to_string()))?;
        let (send, connection) = http1::Builder::new()
            .writev(false)
            .handshake(stream)
            .await
            .map_err(|error| Failure::Unreachable(deepest(&error).to_string()))?;
        Ok(Open { send, connection: Box::new(connection), has_ended: false, used: Instant::now() })
    }

    fn take_idle(&self) -> Option<Open> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let open = idle.pop().filter(|open| open.used.elapsed() < KEPT);
        if open.is_none() {
            // All others were used before it.
            idle.clear();
        }
        open
    }

    fn keep(&self, mut open: Open) {
        if !open.has_ended {
            open.used = Instant::now();
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(open);
        }
    }
}

impl Reply<'_> {
    /// The next piece of the body; none at its end. An error says why the connection was lost.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        let Some(open) = &mut self.open else { return Ok(None) };
        loop {
            match open.carry_on(self.body.frame()).await {
                None => break,
                Some(Ok(frame)) => {
                    // Trailers say nothing that is wanted.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(deepest(&error).to_string()),
            }
        }
        if let Some(open) = self.open.take() {
            self.client.keep(open);
        }
        Ok(None)
    }
}

impl Open {
    /// Waits for something that comes by this connection, and may have come already: a small body comes
    /// with its head.
    async fn carry_on<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = pin!(wanted);
        poll_fn(|context| {
            let come = wanted.as_mut().poll(context);
            if come.is_ready() {
                return come;
            }
            self.poll(context);
            wanted.as_mut().poll(context)
        })
        .await
    }

    /// Whether a request may be sent: the server has not closed the connection, and it is in no
    /// other's use.
    async fn is_ready(&mut self) -> bool {
        poll_fn(|context| {
            self.poll(context);
            let ready = matches!(self.send.poll_ready(context), Poll::Ready(Ok(())));
            Poll::Ready(ready && !self.has_ended)
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        if !self.has_ended {
            // Whoever waits for something hears what went wrong.
            self.has_ended = Pin::new(&mut *self.connection).poll(context).is_ready();
        }
    }
}
