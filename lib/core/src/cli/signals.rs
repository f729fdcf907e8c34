//! SIGINT, SIGTERM and SIGHUP: unfinished files are removed, then the process ends with 130, 143 or 129.
//!
//! A program that has something to bring in first is asked to end by itself (see [`when_told`]); a second
//! signal ends it at once.

use crate::{Error, Result, output};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

type End = Box<dyn Fn() + Send>;

/// How the program ends by itself, if it can.
static END: Mutex<Option<End>> = Mutex::new(None);

/// The signal that it was told to end by; 0 if none.
static TOLD: AtomicI32 = AtomicI32::new(0);

/// At the first signal `end` is called, and has to see to it that the program ends soon.
pub fn when_told(end: impl Fn() + Send + 'static) {
    *END.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(end));
}

/// The signal that the program was told to end by.
pub fn told() -> Option<u8> {
    u8::try_from(TOLD.load(Ordering::Relaxed)).ok().filter(|signal| *signal > 0)
}

/// Watches on a thread of its own.
pub fn watch() -> Result<()> {
    let mut wanted = vec![SIGINT, SIGTERM];
    // Whoever started us with nohup wants the end of the terminal to mean nothing.
    if !ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted).map_err(|e| Error::world("signals", e))?;
    let watcher = std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            let end = END.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(end) = end {
                TOLD.store(signal, Ordering::Relaxed);
                end();
                continue;
            }
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
