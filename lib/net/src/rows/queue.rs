//! Batches that wait for their answers: so many bytes of them at most, whatever else a row holds.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};

use arrow::array::{Array, RecordBatch};

/// Bytes that wait before the next batch does.
const MOST_BYTES: usize = 128 << 20;

/// Where batches go in; it waits where too much is in already.
pub struct Sender(mpsc::Sender<RecordBatch>, Arc<Held>);

/// Where they come out.
pub struct Receiver(mpsc::Receiver<RecordBatch>, Arc<Held>);

#[derive(Default)]
struct Held {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: usize,
    closed: bool,
}

/// A queue of batches.
pub fn queue() -> (Sender, Receiver) {
    let (send, receive) = mpsc::channel();
    let held = Arc::<Held>::default();
    (Sender(send, held.clone()), Receiver(receive, held))
}

impl Sender {
    /// Puts a batch in; none if nobody wants it any more.
    pub fn send(&self, batch: RecordBatch) -> Option<()> {
        let bytes = bytes(&batch);
        let is_full = |state: &mut State| {
            !state.closed && state.bytes > 0 && state.bytes.saturating_add(bytes) > MOST_BYTES
        };
        let state = self.1.changed.wait_while(self.1.state(), is_full);
        state.unwrap_or_else(PoisonError::into_inner).bytes += bytes;
        self.0.send(batch).ok()
    }
}

impl Receiver {
    /// The next batch, if one is in.
    pub fn take(&self) -> Option<RecordBatch> {
        let batch = self.0.try_recv().ok()?;
        self.1.state().bytes -= bytes(&batch);
        self.1.changed.notify_one();
        Some(batch)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.1.state().closed = true;
        self.1.changed.notify_one();
    }
}

impl Held {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, so a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a batch takes; of a slice, its own part.
fn bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, StringArray};

    fn batch() -> RecordBatch {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(MOST_BYTES / 2)]));
        RecordBatch::try_from_iter([("text", text)]).unwrap()
    }

    #[test]
    fn what_is_too_much_waits_until_there_is_room_or_nobody_wants_it() {
        let (send, receive) = queue();
        let sender = std::thread::spawn(move || {
            (0..3).map(|_| send.send(batch()).is_some()).collect::<Vec<_>>()
        });
        let taken = std::iter::from_fn(|| {
            std::thread::yield_now();
            Some(receive.take())
        });
        assert_eq!(taken.flatten().take(2).map(|batch| batch.num_rows()).sum::<usize>(), 2);
        drop(receive);
        assert_eq!(sender.join().unwrap()[..2], [true, true]);
    }
}
