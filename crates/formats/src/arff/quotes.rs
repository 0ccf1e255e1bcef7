//! Cells in double quotes as cells in single ones: ARFF has both, its reader one.

use std::io::{self, Read};

/// Bytes that are read at a time.
const PIECE: usize = 1 << 16;

/// Rows of ARFF whose double quotes have become single ones.
pub(super) struct SingleQuotes<R> {
    inner: R,
    place: Place,
    /// What is read and not given yet.
    ready: Vec<u8>,
    n_given: usize,
}

/// Where in a row reading has come to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// Before the first cell: a comment may stand here.
    Row,
    /// Before a further one.
    Cell,
    /// In a cell without quotes, or behind one with them.
    Plain,
    Comment,
    Quoted {
        by: u8,
        escaped: bool,
    },
}

impl<R: Read> SingleQuotes<R> {
    pub(super) fn of(inner: R) -> Self {
        Self {
            inner,
            place: Place::Row,
            ready: Vec::new(),
            n_given: 0,
        }
    }

    fn push(&mut self, byte: u8) {
        let (place, written) = self.place.step(byte);
        self.place = place;
        match written {
            Written::AsItIs => self.ready.push(byte),
            Written::Nothing => {}
            Written::Quote => self.ready.push(b'\''),
            Written::Escaped => self.ready.extend([b'\\', byte]),
        }
    }
}

/// What stands for a byte.
enum Written {
    AsItIs,
    Nothing,
    Quote,
    Escaped,
}

impl Place {
    fn step(self, byte: u8) -> (Self, Written) {
        let next = match (self, byte) {
            (Self::Quoted { by, escaped: true }, _) => Self::Quoted { by, escaped: false },
            (Self::Quoted { by, .. }, b'\\') => Self::Quoted { by, escaped: true },
            (Self::Quoted { by: b'"', .. }, b'"') => return (Self::Plain, Written::Quote),
            (Self::Quoted { by: b'"', .. }, b'\'') => return (self, Written::Escaped),
            (Self::Quoted { by, .. }, _) if by == byte => Self::Plain,
            (Self::Quoted { .. }, _) => self,
            (_, b'\n') => Self::Row,
            (Self::Comment, _) => Self::Comment,
            (Self::Row, b'%') => Self::Comment,
            (Self::Row | Self::Cell, b'"') => {
                let quoted = Self::Quoted {
                    by: byte,
                    escaped: false,
                };
                return (quoted, Written::Quote);
            }
            (Self::Row | Self::Cell, b'\'') => Self::Quoted {
                by: byte,
                escaped: false,
            },
            (_, b',') => Self::Cell,
            // A quote behind it begins a text all the same.
            (Self::Row | Self::Cell, b' ' | b'\t') => return (self, Written::Nothing),
            (Self::Row | Self::Cell, _) if byte.is_ascii_whitespace() => self,
            _ => Self::Plain,
        };
        (next, Written::AsItIs)
    }
}

impl<R: Read> Read for SingleQuotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.n_given == self.ready.len() {
            let mut piece = vec![0; PIECE];
            let n = self.inner.read(&mut piece)?;
            self.ready.clear();
            self.n_given = 0;
            piece[..n].iter().for_each(|byte| self.push(*byte));
        }
        let left = &self.ready[self.n_given..];
        let n = left.len().min(buffer.len());
        buffer[..n].copy_from_slice(&left[..n]);
        self.n_given += n;
        Ok(n)
    }
}
