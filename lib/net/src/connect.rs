//! How a connection to a server comes about: through a proxy or directly, with TLS or without.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use hyper::Uri;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use seval_core::{Error, Kind, Result};
use tokio_rustls::TlsConnector;
use tower_service::Service;
use url::Url;

use crate::address::{is_this_machine, shown};
use crate::connection::Connection;

/// What bytes go over, whatever is below.
pub(crate) trait Stream: Read + Write + Debug + Send + Unpin {}

impl<S: Read + Write + Debug + Send + Unpin> Stream for S {}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes connections to one server.
#[derive(Debug)]
pub(crate) struct Connector {
    /// The addresses of the server, in the order in which they are tried.
    servers: Vec<Uri>,
    tcp: HttpConnector,
    proxy: Option<Tunnel<HttpConnector>>,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Connector {
    /// To the server of that address, as the connection says. Nothing is sent.
    pub fn new(url: &Url, connection: &Connection) -> Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let secure = url.scheme() == "https";
        let proxy = match connection.proxy && secure && !is_this_machine(url) {
            true => proxy(url, &tcp)?,
            false => None,
        };
        let tls = match secure {
            true => Some((tls(url, connection.ca_file.as_deref())?, server_name(url)?)),
            // A machine without certificates must still reach its own server.
            false => None,
        };
        Ok(Self { servers: servers(url)?, tcp, proxy, tls })
    }

    /// A new connection; the last cause if there is none.
    pub async fn connect(&self) -> Result<Box<dyn Stream>, BoxError> {
        let mut last = BoxError::from("no address");
        for server in &self.servers {
            // A connector is a handle: to use it takes one of one's own.
            let tcp = match &self.proxy {
                None => self.tcp.clone().call(server.clone()).await.map_err(BoxError::from),
                Some(proxy) => proxy.clone().call(server.clone()).await.map_err(BoxError::from),
            };
            match (tcp, &self.tls) {
                (Ok(tcp), None) => return Ok(Box::new(tcp)),
                (Ok(tcp), Some((config, name))) => {
                    let connector = TlsConnector::from(config.clone());
                    let tls = connector.connect(name.clone(), TokioIo::new(tcp)).await?;
                    return Ok(Box::new(TokioIo::new(tls)));
                }
                (Err(error), _) => last = error,
            }
        }
        Err(last)
    }
}

/// `localhost` is this machine whatever the resolver says.
fn servers(url: &Url) -> Result<Vec<Uri>> {
    let host = url.host_str().unwrap_or_default();
    let hosts: &[&str] = if host == "localhost" { &["127.0.0.1", "[::1]"] } else { &[host] };
    let port = url.port_or_known_default().unwrap_or(443);
    let server = |host: &&str| format!("{}://{host}:{port}/", url.scheme()).parse();
    let servers: Result<_, _> = hosts.iter().map(server).collect();
    servers.map_err(|error| Error::usage(shown(url), error))
}

fn server_name(url: &Url) -> Result<ServerName<'static>> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    ServerName::try_from(host.to_owned()).map_err(|error| Error::usage(shown(url), error))
}

/// The proxy that the environment names for that address.
fn proxy(url: &Url, tcp: &HttpConnector) -> Result<Option<Tunnel<HttpConnector>>> {
    let address = url.as_str().parse().map_err(|error| Error::usage(shown(url), error))?;
    let Some(found) = Matcher::from_env().intercept(&address) else { return Ok(None) };
    if found.uri().scheme_str() != Some("http") {
        let scheme = found.uri().scheme_str().unwrap_or_default();
        let what = format!("the environment names a proxy of kind `{scheme}`");
        return Err(Error::usage("--proxy", what).hint("only http:// proxies are understood"));
    }
    let tunnel = Tunnel::new(found.uri().clone(), tcp.clone());
    Ok(Some(match found.basic_auth() {
        Some(user) => tunnel.with_auth(user.clone()),
        None => tunnel,
    }))
}

/// Certificates are checked as the system does it, with those of the file beside its own.
fn tls(url: &Url, ca_file: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let extra = ca_file.map_or_else(|| Ok(Vec::new()), certificates)?;
    let provider = Arc::new(ring::default_provider());
    let config = || -> Result<ClientConfig, rustls::Error> {
        let verifier = verifier(extra, provider.clone())?;
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(builder.with_no_client_auth())
    };
    let cannot = |cause| {
        Error::world(shown(url), format!("cannot set up TLS: {cause}")).hint(
            "install the system's certificates (the package is mostly called ca-certificates)",
        )
    };
    config().map(Arc::new).map_err(cannot)
}

fn verifier(
    extra: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Verifier, rustls::Error> {
    match extra.is_empty() {
        true => Verifier::new(provider),
        false => Verifier::new_with_extra_roots(extra, provider),
    }
}

/// The certificates in a PEM file.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let place = path.to_string_lossy();
    let text = std::fs::read(path)
        .map_err(|error| Error { kind: Kind::Usage, ..Error::io(&place, &error) })?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match read.unwrap_or_default() {
        read if read.is_empty() => {
            Err(Error::usage(&place, "no certificate in it").hint("PEM is wanted"))
        }
        read => Ok(read),
    }
}
