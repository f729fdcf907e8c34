//! One error type, sorted by who must act: the person at the command line, whoever made the input, or
//! whoever runs the machine. The kind is the exit status (see [`Error::exit_code`]); the text is always
//! *where: what; what to do*, and the program's name is put before it by [`crate::cli`].

use std::fmt;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line or a file named on it as configuration (template, taxonomy, models): exit 2.
    Usage,
    /// The input rows: corrupt, truncated, a column missing, over a limit: exit 5.
    Data,
    /// Disk, network, endpoint: exit 1.
    World,
    /// The run is over and its result is not what was asked for: exit 3.
    Unfit,
    /// The run was told to stop before its end, and another can go on from there: exit 4, or 128 and the signal.
    Incomplete,
    /// The run is over, its result is complete, and does not meet what was required of it: exit 6.
    NotMet,
    /// The reader of our output has gone. A filter ends quietly: exit 0.
    ReaderGone,
}

/// A failure of the run (a failed row is data, not an error): where, what, and what to do.
#[derive(Clone, Debug)]
pub struct Error {
    /// Who must act.
    pub kind: Kind,
    /// File, row, column, flag or model, as the user wrote it; empty if there is none.
    pub place: String,
    /// What is wrong: lower case, no full stop.
    pub what: String,
    /// What to do about it; empty if nothing can be said.
    pub hint: String,
}

impl Error {
    /// An error for the person at the command line.
    pub fn usage(place: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, place, what)
    }

    /// An error for whoever made the input.
    pub fn data(place: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self::new(Kind::Data, place, what)
    }

    /// An error for whoever runs the machine.
    pub fn world(place: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self::new(Kind::World, place, what)
    }

    /// An error of the given kind.
    pub fn new(kind: Kind, place: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self { kind, place: place.to_string(), what: what.to_string(), hint: String::new() }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = hint.to_string();
        self
    }

    /// Sets the place if there is none yet: the caller often knows the file, the callee only the row.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        let place = place.to_string();
        self.place = match self.place.is_empty() {
            true => place,
            false => format!("{place}: {}", self.place),
        };
        self
    }

    /// An I/O failure; a broken pipe is [`Kind::ReaderGone`].
    pub fn io(place: impl fmt::Display, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::BrokenPipe => Kind::ReaderGone,
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => Kind::Data,
            _ => Kind::World,
        };
        Self::new(kind, place, error)
    }

    /// The exit status: 0 reader gone, 1 world, 2 usage, 3 unfit, 4 incomplete, 5 data, 6 not met.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::ReaderGone => 0,
            Kind::World => 1,
            Kind::Usage => 2,
            Kind::Unfit => 3,
            Kind::Incomplete => 4,
            Kind::Data => 5,
            Kind::NotMet => 6,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.what)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
