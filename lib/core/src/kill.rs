//! Places at which tests kill the program, to see that what was paid for is found again.

/// Kills the process with SIGKILL where `SEVAL_KILL_AT` is `LABEL:N` and this is the N-th time that
/// this label is passed. Release builds do nothing.
#[inline]
pub fn kill_at(label: &str) {
    #[cfg(debug_assertions)]
    debug::kill_at(label);
    #[cfg(not(debug_assertions))]
    let _ = label;
}

#[cfg(debug_assertions)]
mod debug {
    use std::process::Command;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// The label, and how many more times it is passed.
    static WANTED: LazyLock<Option<(String, AtomicI64)>> = LazyLock::new(|| {
        let wanted = std::env::var("SEVAL_KILL_AT").ok()?;
        let (label, times) = wanted.rsplit_once(':')?;
        Some((label.to_owned(), AtomicI64::new(times.parse().ok()?)))
    });

    pub fn kill_at(label: &str) {
        let Some((wanted, left)) = &*WANTED else { return };
        if wanted == label && left.fetch_sub(1, Ordering::Relaxed) == 1 {
            let pid = std::process::id().to_string();
            let _ = Command::new("kill").args(["-9", &pid]).status();
            // Nothing of this process may run on until the signal is there.
            loop {
                std::thread::park();
            }
        }
    }
}
