//! SIGINT, SIGTERM and SIGHUP: unfinished files are removed, then the process ends with 130, 143 or 129.

use crate::{Error, Result, output};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Watches on a thread of its own.
pub fn watch() -> Result<()> {
    let mut wanted = vec![SIGINT, SIGTERM];
    // Whoever started us with nohup wants the end of the terminal to mean nothing.
    if !ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted).map_err(|e| Error::world("signals", e))?;
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

/// Whether a signal is ignored; where the system does not say, it is taken to be.
fn ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}
