//! SIGINT and SIGTERM: unfinished files are removed, then the process ends with 130 or 143.

use crate::{Error, Result, output};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Watches on a thread of its own.
pub fn watch() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|e| Error::world("signals", e))?;
    let watcher = std::thread::Builder::new().name("signals".into()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            output::remove_unfinished();
            #[expect(
                clippy::exit,
                reason = "the process was told to end, and its files are in order"
            )]
            std::process::exit(128 + signal);
        }
    });
    watcher.map(|_| ()).map_err(|error| Error::world("signals", error))
}
