//! Where records are loaded for others to read, a database say; what was loaded is read back.

use crate::{RawBatch, SinkError, Tally};

/// Takes records into something that others read, in steps that may be repeated: loading the same
/// batch in the same load again changes nothing. Implementations hide their runtime.
///
/// Whoever loads calls [`load`](Destination::load) for every batch, compares what
/// [`read_back`](Destination::read_back) gives with what was sent, and only then
/// [`publish`](Destination::publish).
pub trait Destination: Send {
    /// Returns where the records go, for people; never with a secret in it.
    fn description(&self) -> &str;

    /// Begins a load and returns how many records are there before it, where that can be told without
    /// reading them all.
    ///
    /// `load` names it in letters and digits that depend on the records alone, so that a repeated load
    /// finds what an interrupted one has left.
    ///
    /// # Errors
    /// [`SinkError`], also when the mode cannot be carried out there.
    fn begin(&mut self, load: &str) -> Result<Option<u64>, SinkError>;

    /// Returns the name under which the records of this load lie, once it has begun, where that is not the load's.
    fn lies_under(&self) -> Option<&str> {
        None
    }

    /// Returns how many records of this load were there when it began, where that is known. What [`load`](Self::load)
    /// finds there may also be its own: written by a request whose answer was lost.
    fn there_before(&self) -> Option<u64> {
        None
    }

    /// Loads some records: typed cells under the names of the schema, row numbers that are unique
    /// within the load.
    ///
    /// # Errors
    /// [`SinkError`]; some of the batch may have been loaded.
    fn load(&mut self, batch: &RawBatch) -> Result<Loaded, SinkError>;

    /// Reads all records of this load back.
    ///
    /// # Errors
    /// [`SinkError`].
    fn read_back(&mut self) -> Result<Tally, SinkError>;

    /// Makes what was loaded beside the old records take their place, in one step; nothing to do
    /// where it was loaded in place.
    ///
    /// # Errors
    /// [`SinkError`]; what has become of the old records, [`remains`](Self::remains) says then.
    fn publish(&mut self) -> Result<(), SinkError>;

    /// Returns what is left of the load when it ends here: for somebody to clear away, or in the old records' place.
    fn remains(&self) -> Remains;

    /// Takes out again what this attempt at the load has brought in; returns whether nothing of the load is
    /// left for others to read. Where `earlier` attempts may have loaded some of it, which others may rely
    /// on, nothing is taken out that others can read.
    ///
    /// # Errors
    /// [`SinkError`]; some of it may still be there.
    fn take_back(&mut self, earlier: bool) -> Result<bool, SinkError>;
}

/// What is left of a load that ends before all was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remains {
    /// It goes with the process or is dropped, or the failure itself says what there is.
    Nothing,
    /// It lies among the other records, under the load's name.
    Among,
    /// It lies beside them, in a place of this name.
    Beside(String),
    /// It lies beside them in a place of this name, or has taken their place: nobody has answered since it was to.
    Unsure(String),
    /// It has taken their place.
    InPlace,
    /// It lies among them, and some of them may be deleted already.
    Replacing,
}

/// What loading does to records that are there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadMode {
    /// They stay.
    Append,
    /// They go, at the moment when the new ones are complete.
    Replace,
    /// Those with equal values in these columns are written over, whole; the others stay.
    Upsert(Vec<String>),
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Records that were written.
    pub written: u64,
    /// Records that were there already, from an earlier attempt at the same load.
    pub already_there: u64,
    /// Rows (index in the batch) that the other side refused, with its reason.
    pub refused: Vec<(usize, String)>,
}
