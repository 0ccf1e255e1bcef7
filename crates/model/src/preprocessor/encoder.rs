//! Encoding: from one cell a column to one or several features.

use dataset::{Column, ColumnType, Domain, EncoderKind, Schema, format_number};
use serde::{Deserialize, Serialize};

use super::{FittedEncoding, PreprocessingError};

/// Most features that one-hot encoding makes of a column; matrices are dense, so that the levels of an
/// identifier would fill the memory.
const MAX_ONE_HOT: usize = 4096;

/// Most levels of a column that trees split by sets; the code after the last is the unknown level's.
const MAX_CATEGORIES: usize = 254;

/// Most cells of a matrix that one-hot encoding has widened, each of four bytes.
const MAX_CELLS: usize = 1 << 29;

/// A raw column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) kind: InputKind,
}

/// What the cells of a raw column are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum InputKind {
    /// Numbers, of a domain that lists none.
    Number,
    /// Numbers out of these, ascending.
    Listed(Vec<f64>),
    /// Codes of these levels; the code after the last is the unknown level.
    Text(Vec<String>),
}

/// How each column becomes features, in the order of the columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Encoder {
    columns: Vec<Encoding>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Encoding {
    /// One feature: the cell.
    Cell,
    /// One feature a level; the cell is its position.
    Codes(usize),
    /// One feature a value; the cell is the nearest.
    Values(Vec<f64>),
    /// One feature: the cell, a code among which there is no order.
    Category,
}

/// Lists the raw columns of a schema and how each is encoded.
pub(super) fn plan(
    kind: EncoderKind,
    schema: &Schema,
) -> Result<(Vec<Input>, Encoder), PreprocessingError> {
    let mut inputs: Vec<Input> = schema.features().map(input).collect::<Result<_, _>>()?;
    inputs.extend(schema.derived.iter().map(|derived| Input {
        name: derived.name.clone(),
        kind: InputKind::Number,
    }));
    let columns: Vec<_> = inputs.iter().map(|i| encoding(kind, &i.kind)).collect();
    let mut planned = inputs.iter().zip(&columns);
    if let Some((input, wide)) = planned.find(|(_, e)| e.n_features() > MAX_ONE_HOT) {
        return Err(PreprocessingError::TooManyLevels {
            column: input.name.clone(),
            levels: wide.n_features(),
            most: MAX_ONE_HOT,
        });
    }
    Ok((inputs, Encoder { columns }))
}

fn input(column: &Column) -> Result<Input, PreprocessingError> {
    let kind = match (&column.kind, &column.domain) {
        (ColumnType::Text, Domain::Levels(levels)) if !levels.is_empty() => {
            InputKind::Text(levels.clone())
        }
        (ColumnType::Text, _) => {
            return Err(PreprocessingError::NoLevels {
                column: column.name.clone(),
            });
        }
        (_, Domain::Values(values)) => InputKind::Listed(values.clone()),
        _ => InputKind::Number,
    };
    Ok(Input {
        name: column.name.clone(),
        kind,
    })
}

fn encoding(encoder: EncoderKind, column: &InputKind) -> Encoding {
    match (encoder, column) {
        (EncoderKind::OneHotText | EncoderKind::OneHotLevels, InputKind::Text(levels)) => {
            Encoding::Codes(levels.len())
        }
        (EncoderKind::OneHotLevels, InputKind::Listed(values)) => Encoding::Values(values.clone()),
        (EncoderKind::Categorical, InputKind::Text(levels)) if levels.len() <= MAX_CATEGORIES => {
            Encoding::Category
        }
        _ => Encoding::Cell,
    }
}

impl Encoder {
    /// Encodes a row; `emit` gets each feature's position and value, in order.
    pub(super) fn encode(&self, row: &[f64], mut emit: impl FnMut(usize, f64)) {
        let mut feature = 0;
        for (encoding, &cell) in self.columns.iter().zip(row) {
            if let Encoding::Cell | Encoding::Category = encoding {
                emit(feature, cell);
                feature += 1;
                continue;
            }
            let hot = encoding.level_of(cell);
            for level in 0..encoding.n_features() {
                emit(feature, f64::from(u8::from(hot == Some(level))));
                feature += 1;
            }
        }
    }

    /// Refuses rows whose one-hot features would not fit the memory.
    pub(super) fn check_cells(&self, rows: usize) -> Result<(), PreprocessingError> {
        let features = self.columns.iter().map(Encoding::n_features).sum();
        let is_widened = features > self.columns.len();
        if is_widened && rows.saturating_mul(features) > MAX_CELLS {
            return Err(PreprocessingError::TooManyCells {
                rows,
                features,
                most: MAX_CELLS,
            });
        }
        Ok(())
    }

    /// Returns how each column is encoded.
    pub(super) fn encodings(&self) -> &[Encoding] {
        &self.columns
    }

    /// Returns for each feature the position of its column.
    pub(super) fn sources(&self) -> Vec<usize> {
        self.per_feature(|column, _| column)
    }

    /// Returns for each feature whether it is no number: one of a one-hot group or a category.
    pub(super) fn unscaled_features(&self) -> Vec<bool> {
        self.per_feature(|_, encoding| *encoding != Encoding::Cell)
    }

    /// Returns the positions of the features that are categories.
    pub(super) fn categories(&self) -> Vec<usize> {
        let is_category = self.per_feature(|_, encoding| *encoding == Encoding::Category);
        let features = is_category.into_iter().enumerate();
        features.filter_map(|(at, is)| is.then_some(at)).collect()
    }

    /// Returns whether any column becomes a feature as it is.
    pub(super) fn passes_cells(&self) -> bool {
        let passes = |encoding: &Encoding| matches!(encoding, Encoding::Cell | Encoding::Category);
        self.columns.iter().any(passes)
    }

    fn per_feature<T: Clone>(&self, of: impl Fn(usize, &Encoding) -> T) -> Vec<T> {
        let columns = self.columns.iter().enumerate();
        columns
            .flat_map(|(at, encoding)| vec![of(at, encoding); encoding.n_features()])
            .collect()
    }

    /// Returns the names of the features; `inputs` are as many as there are columns.
    pub(super) fn names(&self, inputs: &[Input]) -> Vec<String> {
        let columns = self.columns.iter().zip(inputs);
        columns
            .flat_map(|(encoding, input)| encoding.names(input))
            .collect()
    }

    /// Checks that this encodes these columns, as a specification asks for.
    pub(super) fn check(&self, kind: EncoderKind, inputs: &[Input]) -> Result<(), String> {
        let planned = inputs.iter().map(|input| encoding(kind, &input.kind));
        if !planned.eq(self.columns.iter().cloned()) {
            return Err("the encoder does not go with the columns".to_owned());
        }
        match inputs.iter().find(|input| !input.kind.is_sound()) {
            Some(input) => Err(format!("column `{}`: its values do not ascend", input.name)),
            None if inputs.is_empty() => Err("no columns".to_owned()),
            None => Ok(()),
        }
    }
}

impl InputKind {
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn is_sound(&self) -> bool {
        match self {
            Self::Number => true,
            Self::Listed(values) => {
                !values.is_empty()
                    && values.iter().all(|v| v.is_finite())
                    && values.is_sorted_by(|a, b| a < b)
            }
            Self::Text(levels) => !levels.is_empty(),
        }
    }
}

impl Encoding {
    /// Describes it; `scale` gives the centre and the scale of a cell's feature.
    pub(super) fn fitted(&self, scale: impl FnOnce() -> (f64, f64)) -> FittedEncoding<'_> {
        match self {
            Self::Cell => {
                let (centre, scale) = scale();
                FittedEncoding::Scaled { centre, scale }
            }
            Self::Codes(levels) => FittedEncoding::LevelOf(*levels),
            Self::Values(values) => FittedEncoding::ValueOf(values),
            Self::Category => FittedEncoding::Scaled {
                centre: 0.0,
                scale: 1.0,
            },
        }
    }

    fn n_features(&self) -> usize {
        match self {
            Self::Cell | Self::Category => 1,
            Self::Codes(levels) => *levels,
            Self::Values(values) => values.len(),
        }
    }

    fn level_of(&self, cell: f64) -> Option<usize> {
        match self {
            _ if cell.is_nan() => None,
            Self::Cell | Self::Category => None,
            Self::Codes(levels) => Some(cell as usize).filter(|code| code < levels),
            Self::Values(values) => Some(nearest(values, cell)),
        }
    }

    fn names(&self, input: &Input) -> Vec<String> {
        let label = |level: String| format!("{}={level}", input.name);
        match (self, &input.kind) {
            (Self::Values(values), _) => values.iter().map(|v| label(format_number(*v))).collect(),
            (Self::Codes(_), InputKind::Text(levels)) => {
                levels.iter().cloned().map(label).collect()
            }
            _ => vec![input.name.clone()],
        }
    }
}

/// Returns the value nearest to a number, the lesser of two.
pub(super) fn nearest_value(ascending: &[f64], number: f64) -> f64 {
    ascending[nearest(ascending, number)]
}

/// Returns the position of the value nearest to a number, the lesser of two.
fn nearest(ascending: &[f64], number: f64) -> usize {
    let above = ascending.partition_point(|v| *v < number);
    match (above.checked_sub(1), ascending.get(above)) {
        (Some(below), Some(value)) if value - number < number - ascending[below] => above,
        (Some(below), _) => below,
        (None, _) => above,
    }
}
