//! The server of a model: what kind it is of, and which key it gets.

use std::sync::Arc;

use seval_core::Result;
use seval_core::template::File;

use crate::connection::Connection;
use crate::key;
use crate::kind::Kind;
use crate::provider::Provider;

/// The provider and the model in `PROVIDER:MODEL` or `MODEL`.
pub(super) fn kind_of<'s>(spec: &'s str, connection: &Connection) -> Result<(Kind, &'s str)> {
    if let Some((name, model)) = spec.split_once(':')
        && let Some(kind) = in_folder(name, connection)?
    {
        return Ok((kind, model));
    }
    Kind::of(spec)
}

/// The provider of that name, if there is a folder of templates, whose files come before the
/// built-in ones.
pub(super) fn in_folder(name: &str, connection: &Connection) -> Result<Option<Kind>> {
    if connection.templates.folder.is_none() {
        return Ok(None);
    }
    let name = format!("provider/{name}");
    let file = connection.templates.list("provider")?.into_iter().find(|file| file.name == name);
    let kind = |file: File| {
        let provider = Provider::parse(&file.place, &file.text)?;
        Ok(Kind::Text(Arc::new(provider)))
    };
    file.map(kind).transpose()
}

/// With the key that the provider's file names, where the address is the provider's own: another
/// server is not to see it.
pub(super) fn with_key(connection: &Connection, kind: &Kind) -> Result<Connection> {
    let own_address = connection.base_url.is_none();
    let name = kind.api_key_env().filter(|_| own_address && connection.sends);
    let api_key = match &connection.api_key {
        Some(key) => Some(key.clone()),
        None => key::find("--api-key-env", name, None)?,
    };
    Ok(Connection { api_key, ..connection.clone() })
}
