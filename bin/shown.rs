//! How far a run is while it asks models, for the programs that ask many.

use seval_core::cli::{self, count};
use seval_net::{Outcome, Progress};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is shown while a run runs: a line that changes on a terminal, elsewhere one line in 30 s.
pub struct Shown {
    progress: Arc<Progress>,
    end: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// How often the run is looked at, and a line on a terminal changes.
const LOOK: Duration = Duration::from_millis(250);

/// How often there is a line where they stay.
const LINE: Duration = Duration::from_secs(30);

impl Shown {
    /// Begins to show. `count` says how many answers there will be, if that can be known; it is asked
    /// only if the run takes long enough to be watched.
    pub fn start(
        progress: Arc<Progress>,
        count: impl FnOnce() -> Option<u64> + Send + 'static,
    ) -> Self {
        let (end, ended) = mpsc::channel();
        let watched = progress.clone();
        let watch = move || {
            let line = cli::Line::new();
            let began = Instant::now();
            let (mut count, mut lines) = (Some(count), 0);
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                watched.take_oddities().iter().for_each(cli::warn);
                let time = began.elapsed();
                let due = (time.as_secs() / LINE.as_secs()) > lines;
                if !line.is_live() && !due {
                    continue;
                }
                lines += u64::from(due);
                if let Some(wanted) = count.take().and_then(|count| count()) {
                    watched.expect(wanted);
                }
                line.show(&text(&watched, time));
            }
        };
        let thread = thread::Builder::new().name("progress".into()).spawn(watch).ok();
        Self { progress, end, thread }
    }

    /// Ends the line.
    pub fn stop(mut self) -> Arc<Progress> {
        // It may have ended by itself.
        let _ = self.end.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.progress.clone()
    }
}

fn text(progress: &Progress, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    let ok = progress.of(Outcome::Answered) + progress.of(Outcome::Truncated);
    let filtered = progress.of(Outcome::Filtered);
    let done = progress.answers();
    let (input, output) = progress.tokens();
    let mut parts = vec![format!(
        "{} done: {} ok, {} filtered, {} failed",
        count(done),
        count(ok),
        count(filtered),
        count(done - ok - filtered)
    )];
    let rate = |number: u64| count((number as f64 / seconds).round() as u64);
    parts.push(format!("{} requests/s, {} tokens/s", rate(progress.sent()), rate(input + output)));
    parts.extend(progress.cost().map(|cost| format!("${cost:.2}")));
    let limit = progress.limit();
    if !limit.is_empty() {
        parts.push(limit);
    }
    if let Some(left) = progress.wanted().filter(|wanted| done > 0 && *wanted > done) {
        let eta = (left - done) as f64 * seconds / done as f64;
        parts.push(format!("about {} left", clock(eta)));
    }
    parts.join(" · ")
}

fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}
