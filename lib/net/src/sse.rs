//! Server-sent events out of bytes, however these are cut: no sockets, no clock.

use std::collections::VecDeque;
use std::mem;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name, where the server gives it one.
    pub name: Option<String>,
    /// Its data; invalid UTF-8 is replaced.
    pub data: String,
}

/// An event passed the limit; none after it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Takes bytes and, as an iterator, gives the events that are complete.
#[derive(Debug)]
pub(crate) struct Events {
    ready: VecDeque<Event>,
    /// The line so far.
    line: Vec<u8>,
    /// The lines of data so far; `None` before the first.
    data: Option<Vec<u8>>,
    name: Option<String>,
    /// A line feed now would belong to the line before.
    after_return: bool,
    first_line: bool,
    /// The most bytes of one event.
    limit: usize,
    failed: bool,
}

impl Events {
    /// Of at most so many bytes each.
    pub fn new(limit: usize) -> Self {
        Self {
            ready: VecDeque::new(),
            line: Vec::new(),
            data: None,
            name: None,
            after_return: false,
            first_line: true,
            limit,
            failed: false,
        }
    }

    /// Takes what came. What was complete before an event passed the limit is still given.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        while !bytes.is_empty() && !self.failed {
            if mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            self.line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
            self.failed = self.line.len() + self.data.as_ref().map_or(0, Vec::len) > self.limit;
            let Some(end) = end.filter(|_| !self.failed) else { break };
            self.after_return = bytes[end] == b'\r';
            self.take_line();
            bytes = &bytes[end + 1..];
        }
        if self.failed { Err(TooLarge) } else { Ok(()) }
    }

    /// Says that no more will come: some servers leave out the empty line after the last event.
    pub fn end(&mut self) {
        if !self.failed {
            self.take_line();
            self.dispatch();
        }
    }

    fn take_line(&mut self) {
        let line = mem::take(&mut self.line);
        let mark: &[u8] = if mem::take(&mut self.first_line) { b"\xef\xbb\xbf" } else { b"" };
        let line = line.strip_prefix(mark).unwrap_or(&line);
        if line.is_empty() {
            return self.dispatch();
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            },
            b"event" => self.name = Some(String::from_utf8_lossy(value).into_owned()),
            // Comments have no name; numbers and times to wait serve to connect again.
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let name = self.name.take();
        if let Some(data) = self.data.take() {
            let data = String::from_utf8_lossy(&data).into_owned();
            self.ready.push_back(Event { name, data });
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of bytes that come in pieces of that size.
    fn events(bytes: &[u8], size: usize) -> Vec<(Option<String>, String)> {
        let mut events = Events::new(2 << 20);
        let mut found = Vec::new();
        for piece in bytes.chunks(size) {
            events.push(piece).unwrap();
            found.extend(events.by_ref().map(|event| (event.name, event.data)));
        }
        events.end();
        found.extend(events.map(|event| (event.name, event.data)));
        found
    }

    #[test]
    fn reads_events_however_lines_end_and_bytes_are_cut() {
        let text = "\u{feff}data: a\n\n: a comment\n\nevent: error\ndata:b\ndata:  c\nid: 7\n\n\
                    data\n\nretry: 1\nevent: nothing\n\ndata: \u{1f600}: d\n\ndata: last";
        let expected: Vec<(Option<String>, String)> = [
            (None, "a"),
            (Some("error"), "b\n c"),
            (None, ""),
            (None, "\u{1f600}: d"),
            (None, "last"),
        ]
        .map(|(name, data)| (name.map(str::to_owned), data.to_owned()))
        .to_vec();
        for end in ["\n", "\r\n", "\r"] {
            let bytes = text.replace('\n', end).into_bytes();
            for size in 1..=bytes.len() {
                assert_eq!(events(&bytes, size), expected, "{end:?} {size}");
            }
        }
    }

    #[test]
    fn broken_bytes_are_mended_and_nothing_is_no_event() {
        assert_eq!(events(b"data: \xff\n\n", 3), [(None, "\u{fffd}".to_owned())]);
        assert_eq!(events(b"\n\r\n\r\r: \n\n", 1), []);
        // A mark anywhere else is part of a name that nobody knows.
        assert_eq!(events(b"\n\xef\xbb\xbfdata: a\n\n", 2), []);
    }

    #[test]
    fn a_long_line_passes_and_one_over_the_limit_ends_it() {
        let long = "x".repeat(1 << 20);
        for size in [1, 4096, 3 << 20] {
            let bytes = format!("data: {long}\n\n");
            assert_eq!(events(bytes.as_bytes(), size), [(None, long.clone())]);
        }
        for over in ["data: 1234\ndata: 56789\n\n", "data: 1234567\n\n", ": comments too"] {
            for size in [1, 100] {
                let mut events = Events::new(12);
                let bytes = format!("data: whole\n\n{over}data: never\n\n");
                let pushed = bytes.as_bytes().chunks(size).try_for_each(|piece| events.push(piece));
                assert_eq!((pushed, events.push(b"\n\n")), (Err(TooLarge), Err(TooLarge)));
                events.end();
                assert_eq!(events.map(|event| event.data).collect::<Vec<_>>(), ["whole"]);
            }
        }
    }
}
