//! One column of a row group: from physical values and definition levels to cells.

use std::sync::Arc;

use artifact::clock::Timestamp;
use dataset::{MAX_EXACT_INTEGER, RawColumn, TextColumn};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::{ByteArray, DataType},
    schema::types::ColumnDescriptor,
};

use super::{
    damage,
    pages::Held,
    texts::{Filled, Texts},
};

/// What the physical values of a column mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Conversion {
    Boolean,
    Signed,
    Unsigned,
    Float,
    /// Digits after the point.
    Decimal(usize),
    Date,
    /// Since midnight.
    Time(Ticks),
    /// Since 1970; `utc` tells a moment from a reading of some clock.
    Timestamp {
        ticks: Ticks,
        utc: bool,
    },
    HalfFloat,
    Utf8,
}

/// How time is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ticks {
    /// Digits of a second.
    digits: usize,
}

impl Ticks {
    fn of(unit: &TimeUnit) -> Self {
        let digits = match unit {
            TimeUnit::MILLIS => 3,
            TimeUnit::MICROS => 6,
            TimeUnit::NANOS => 9,
        };
        Self { digits }
    }

    /// Parts a count into seconds and nanoseconds.
    fn part(self, count: i64) -> (i64, u32) {
        let per_second = 10_i64.pow(self.digits as u32);
        let nanos = count.rem_euclid(per_second) * (1_000_000_000 / per_second);
        (count.div_euclid(per_second), nanos as u32)
    }
}

impl Conversion {
    /// Tells it from a column's type; an error names the type.
    pub(super) fn of(column: &ColumnDescriptor) -> Result<Self, String> {
        if column.max_rep_level() > 0 {
            return Err("a list or a map is not read: write its values as columns".to_owned());
        }
        let physical = column.physical_type();
        let known = match physical {
            Type::BOOLEAN => Some(Self::Boolean),
            Type::FLOAT | Type::DOUBLE => Some(Self::Float),
            Type::BYTE_ARRAY => Self::of_bytes(column),
            Type::INT32 | Type::INT64 => Self::of_whole(column),
            Type::FIXED_LEN_BYTE_ARRAY => Self::of_fixed(column),
            Type::INT96 => None,
        };
        known.ok_or_else(|| {
            format!(
                "its type ({physical}) is not read: write it as a number, a text or a timestamp"
            )
        })
    }

    fn of_fixed(column: &ColumnDescriptor) -> Option<Self> {
        match column.logical_type_ref() {
            Some(LogicalType::Decimal(decimal)) => Self::wide_decimal(column, decimal.scale),
            Some(LogicalType::Float16) => Some(Self::HalfFloat),
            Some(_) => None,
            None => match column.converted_type() {
                ConvertedType::NONE => Some(Self::Utf8),
                ConvertedType::DECIMAL => Self::wide_decimal(column, column.type_scale()),
                _ => None,
            },
        }
    }

    /// A decimal in bytes, of at most 16 where their number is fixed.
    fn wide_decimal(column: &ColumnDescriptor, scale: i32) -> Option<Self> {
        if column.type_length() > 16 {
            return None;
        }
        Self::decimal(scale)
    }

    fn of_bytes(column: &ColumnDescriptor) -> Option<Self> {
        match column.logical_type_ref() {
            Some(LogicalType::Decimal(decimal)) => return Self::decimal(decimal.scale),
            None if column.converted_type() == ConvertedType::DECIMAL => {
                return Self::decimal(column.type_scale());
            }
            None => matches!(
                column.converted_type(),
                ConvertedType::NONE
                    | ConvertedType::UTF8
                    | ConvertedType::ENUM
                    | ConvertedType::JSON
            ),
            Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => true,
            Some(_) => false,
        }
        .then_some(Self::Utf8)
    }

    fn of_whole(column: &ColumnDescriptor) -> Option<Self> {
        match column.logical_type_ref() {
            Some(LogicalType::Integer(int)) if int.is_signed => Some(Self::Signed),
            Some(LogicalType::Integer(_)) => Some(Self::Unsigned),
            Some(LogicalType::Decimal(decimal)) => Self::decimal(decimal.scale),
            Some(LogicalType::Date) => Some(Self::Date),
            Some(LogicalType::Time(time)) => Some(Self::Time(Ticks::of(&time.unit))),
            Some(LogicalType::Timestamp(timestamp)) => Some(Self::Timestamp {
                ticks: Ticks::of(&timestamp.unit),
                utc: timestamp.is_adjusted_to_u_t_c,
            }),
            // A column of nothing but nulls.
            Some(LogicalType::Unknown) => Some(Self::Signed),
            Some(_) => None,
            None => Self::of_converted(column),
        }
    }

    /// The older annotation, which old writers give alone.
    fn of_converted(column: &ColumnDescriptor) -> Option<Self> {
        match column.converted_type() {
            ConvertedType::NONE
            | ConvertedType::INT_8
            | ConvertedType::INT_16
            | ConvertedType::INT_32
            | ConvertedType::INT_64 => Some(Self::Signed),
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Some(Self::Unsigned),
            ConvertedType::DECIMAL => Self::decimal(column.type_scale()),
            ConvertedType::DATE => Some(Self::Date),
            ConvertedType::TIME_MILLIS => Some(Self::Time(Ticks { digits: 3 })),
            ConvertedType::TIME_MICROS => Some(Self::Time(Ticks { digits: 6 })),
            ConvertedType::TIMESTAMP_MILLIS => Some(Self::Timestamp {
                ticks: Ticks { digits: 3 },
                utc: true,
            }),
            ConvertedType::TIMESTAMP_MICROS => Some(Self::Timestamp {
                ticks: Ticks { digits: 6 },
                utc: true,
            }),
            _ => None,
        }
    }

    fn decimal(scale: i32) -> Option<Self> {
        usize::try_from(scale)
            .ok()
            .filter(|scale| *scale <= 38)
            .map(Self::Decimal)
    }

    /// Writes a whole number as what it means, where that is a text.
    fn text_of(self, value: i64) -> String {
        match self {
            Self::Decimal(scale) => decimal_text(value.into(), scale),
            Self::Date => moment(value.checked_mul(86_400), 0)
                .map(|m| m.date_naive().to_string())
                .unwrap_or_else(|| value.to_string()),
            Self::Time(ticks) => {
                let (seconds, nanos) = ticks.part(value);
                moment(Some(seconds), nanos)
                    .map(|m| cut(m.format("%H:%M:%S.%9f").to_string(), digits_of(nanos)))
                    .unwrap_or_else(|| value.to_string())
            }
            Self::Timestamp { ticks, utc } => {
                let (seconds, nanos) = ticks.part(value);
                let zone = if utc { "Z" } else { "" };
                moment(Some(seconds), nanos)
                    .map(|m| m.format("%Y-%m-%dT%H:%M:%S.%9f").to_string())
                    .map(|text| cut(text, digits_of(nanos)) + zone)
                    .unwrap_or_else(|| value.to_string())
            }
            Self::Unsigned => (value as u64).to_string(),
            _ => value.to_string(),
        }
    }

    fn is_exact(self, value: i64) -> bool {
        match self {
            Self::Signed => value.unsigned_abs() <= MAX_EXACT_INTEGER,
            Self::Unsigned => (value as u64) <= MAX_EXACT_INTEGER,
            _ => false,
        }
    }
}

fn moment(seconds: Option<i64>, nanos: u32) -> Option<Timestamp> {
    Timestamp::from_timestamp(seconds?, nanos)
}

/// Returns how many digits of a second are written: three, or more where they say something.
fn digits_of(nanos: u32) -> usize {
    match nanos {
        n if n % 1_000_000 == 0 => 3,
        n if n % 1_000 == 0 => 6,
        _ => 9,
    }
}

/// Leaves a text that ends with nanoseconds so many digits of a second.
fn cut(mut text: String, digits: usize) -> String {
    text.truncate(text.len() - (9 - digits));
    text
}

/// Reads a whole number from its bytes, the most significant first.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = bytes.first().is_some_and(|byte| *byte >= 0x80);
    let start = if sign { -1 } else { 0 };
    (bytes.len() <= 16).then(|| {
        bytes
            .iter()
            .fold(start, |n, byte| n << 8 | i128::from(*byte))
    })
}

fn half_float(bytes: &[u8]) -> f64 {
    let bits = match bytes {
        [low, high] => u16::from_le_bytes([*low, *high]),
        _ => return f64::NAN,
    };
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 0x3ff);
    sign * match bits >> 10 & 0x1f {
        0 => fraction / 16_777_216.0,
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) / 1024.0 * 2_f64.powi(i32::from(exponent) - 15),
    }
}

fn decimal_text(unscaled: i128, scale: usize) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// A column that is being read.
pub(super) struct OpenColumn {
    reader: ColumnReader,
    conversion: Conversion,
    max_level: i16,
    levels: Vec<i16>,
    texts: Texts,
    /// What its pages take.
    held: Arc<Held>,
}

impl OpenColumn {
    pub(super) fn new(
        reader: ColumnReader,
        conversion: Conversion,
        max_level: i16,
        held: Arc<Held>,
    ) -> Self {
        Self {
            reader,
            conversion,
            max_level,
            levels: Vec::new(),
            texts: Texts::default(),
            held,
        }
    }

    /// Returns whether its cells are texts of any length.
    pub(super) fn is_text(&self) -> bool {
        self.conversion == Conversion::Utf8
    }

    /// Reads ahead until there are `n` cells, or so many bytes of text.
    pub(super) fn fill(&mut self, n: usize, budget: usize) -> Result<Filled, String> {
        if !self.is_text() {
            return Ok(Filled {
                n_rows: n,
                n_bytes: 0,
                n_first: 0,
            });
        }
        let (levels, max_level) = (&mut self.levels, self.max_level);
        let filled = match &mut self.reader {
            ColumnReader::ByteArrayColumnReader(reader) => self.texts.fill(n, budget, |n| {
                let values = read_values(reader, n, levels)?.into_iter();
                Ok(spread(values, levels, max_level).collect())
            }),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                self.texts.fill(n, budget, |n| {
                    let values = read_values(reader, n, levels)?.into_iter();
                    Ok(spread(values.map(ByteArray::from), levels, max_level).collect())
                })
            }
            _ => Err("its type is not read".to_owned()),
        };
        if self.texts.is_settled() {
            self.held.settle();
        }
        filled
    }

    /// Reads the next `n` cells, texts from those that were read ahead; `unread` gets the rows whose cell is not
    /// UTF-8.
    pub(super) fn read(&mut self, n: usize, unread: &mut Vec<usize>) -> Result<RawColumn, String> {
        if self.is_text() {
            return Ok(RawColumn::Text(self.texts.take(n, unread)));
        }
        let cells = self.read_cells(n);
        self.held.settle();
        cells
    }

    fn read_cells(&mut self, n: usize) -> Result<RawColumn, String> {
        let Self {
            conversion, levels, ..
        } = self;
        match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => {
                let values = read_values(reader, n, levels)?;
                let texts = values
                    .into_iter()
                    .map(|truth| if truth { "true" } else { "false" });
                Ok(self.texts(texts))
            }
            ColumnReader::Int32ColumnReader(reader) => {
                let values = read_values(reader, n, levels)?;
                let widen = |v: i32| match conversion {
                    Conversion::Unsigned => i64::from(v as u32),
                    _ => i64::from(v),
                };
                let values = values.into_iter().map(widen).collect();
                Ok(self.whole(values))
            }
            ColumnReader::Int64ColumnReader(reader) => {
                let values = read_values(reader, n, levels)?;
                Ok(self.whole(values))
            }
            ColumnReader::FloatColumnReader(reader) => {
                let values = read_values(reader, n, levels)?;
                Ok(self.numbers(values.into_iter().map(f64::from)))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                let values = read_values(reader, n, levels)?;
                Ok(self.numbers(values.into_iter()))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                let values = read_values(reader, n, levels)?;
                let values: Vec<&[u8]> = values.iter().map(ByteArray::data).collect();
                self.bytes(&values)
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                let values = read_values(reader, n, levels)?;
                let values: Vec<&[u8]> = values.iter().map(|bytes| bytes.data()).collect();
                self.bytes(&values)
            }
            _ => Err("its type is not read".to_owned()),
        }
    }

    fn whole(&self, values: Vec<i64>) -> RawColumn {
        let conversion = self.conversion;
        if values.iter().all(|&v| conversion.is_exact(v)) {
            self.numbers(values.into_iter().map(|v| v as f64))
        } else {
            self.texts(values.into_iter().map(|v| conversion.text_of(v)))
        }
    }

    fn numbers(&self, values: impl Iterator<Item = f64>) -> RawColumn {
        let spread = self.spread(values).map(|cell| cell.unwrap_or(f64::NAN));
        RawColumn::Number(spread.collect())
    }

    fn texts<S: AsRef<str>>(&self, values: impl Iterator<Item = S>) -> RawColumn {
        let mut texts = TextColumn::new();
        for cell in self.spread(values) {
            texts.push(cell.as_ref().map(S::as_ref));
        }
        RawColumn::Text(texts)
    }

    fn bytes(&self, values: &[&[u8]]) -> Result<RawColumn, String> {
        match self.conversion {
            Conversion::Decimal(scale) => {
                let numbers = values.iter().map(|bytes| big_endian(bytes));
                let numbers: Option<Vec<i128>> = numbers.collect();
                let numbers = numbers.ok_or("a decimal of more than 16 bytes")?;
                Ok(self.texts(numbers.into_iter().map(|n| decimal_text(n, scale))))
            }
            Conversion::HalfFloat => Ok(self.numbers(values.iter().map(|bytes| half_float(bytes)))),
            _ => Err("its type is not read".to_owned()),
        }
    }

    fn spread<T>(&self, values: impl Iterator<Item = T>) -> impl Iterator<Item = Option<T>> {
        spread(values, &self.levels, self.max_level)
    }
}

/// Lays the values that are there out over all rows, by the definition levels.
fn spread<T>(
    mut values: impl Iterator<Item = T>,
    levels: &[i16],
    max_level: i16,
) -> impl Iterator<Item = Option<T>> {
    levels
        .iter()
        .map(move |&level| (level == max_level).then(|| values.next()).flatten())
}

/// Reads the values of `n` rows; `levels` gets one definition level a row.
fn read_values<D: DataType>(
    reader: &mut ColumnReaderImpl<D>,
    n: usize,
    levels: &mut Vec<i16>,
) -> Result<Vec<D::T>, String> {
    let mut values = Vec::with_capacity(n);
    levels.clear();
    let mut done = 0;
    while done < n {
        let (rows, _, got) = reader
            .read_records(n - done, Some(levels), None, &mut values)
            .map_err(|e| damage(&e))?;
        // A required column has no levels of its own.
        if levels.len() == done {
            levels.resize(done + got, 0);
        }
        if rows == 0 {
            return Err(format!("damaged: it ends {} rows too early", n - done));
        }
        done += rows;
    }
    Ok(values)
}
