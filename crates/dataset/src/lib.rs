//! What a data set is: its schema, its raw and its validated rows, its labels, its profile and drift.
//!
//! Owns the data contract and the types that stages exchange about rows.
//! Must not know file formats, connectors, models or the command line.

pub mod cell;
pub mod derived;
mod destination;
pub mod drift;
mod group;
mod label;
mod preprocessing;
pub mod profile;
mod raw;
mod raw_dataset;
mod records;
mod reference;
pub mod schema;
mod source;
mod source_uri;
mod table;
mod tally;

pub use artifact::without_secrets;
pub use destination::{Destination, LoadMode, Loaded, Remains};
pub use group::GroupKey;
pub use label::{ClassNames, Label};
pub use preprocessing::{
    EncoderKind, ImputerKind, KnnParameters, NeighbourWeights, Preprocessing, PreprocessorSpec,
    ScalerKind,
};
pub use raw::{
    CellBytes, Defect, Extent, FieldColumns, MAX_EXACT_INTEGER, RawBatch, RawColumn, RecordCells,
    Scalar, TextColumn, exact_integer, faithful_number, format_number, free_name,
};
pub use raw_dataset::{Cells, IngestedColumn, MAX_ROWS, MISSING_CODE, Provenance, RawDataset};
pub use records::{Records, Target, TrainingSet, ValidatedDataset};
pub use reference::ReferenceProfile;
pub use schema::{Column, ColumnType, Domain, Schema, SchemaError};
pub use source::{Sink, SinkError, Source, SourceError};
pub use source_uri::SourceUri;
pub use table::{Table, TableColumn};
pub use tally::{Tally, record_digests};
