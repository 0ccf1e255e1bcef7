//! One column of a row group: from physical values and definition levels to cells.

use artifact::clock::{Timestamp, rfc3339};
use dataset::{RawColumn, TextColumn};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::{ByteArray, DataType},
    errors::ParquetError,
    schema::types::ColumnDescriptor,
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
    /// Ticks a second.
    Timestamp(i64),
    Utf8,
}

impl Conversion {
    /// Tells it from a column's type; an error names the type.
    pub(super) fn of(column: &ColumnDescriptor) -> Result<Self, String> {
        if column.max_rep_level() > 0 {
            return Err("lists and maps are not read, only flat columns".to_owned());
        }
        let physical = column.physical_type();
        let known = match physical {
            Type::BOOLEAN => Some(Self::Boolean),
            Type::FLOAT | Type::DOUBLE => Some(Self::Float),
            Type::BYTE_ARRAY => Self::of_bytes(column),
            Type::INT32 | Type::INT64 => Self::of_whole(column),
            Type::INT96 | Type::FIXED_LEN_BYTE_ARRAY => None,
        };
        known.ok_or_else(|| {
            let logical = match column.logical_type_ref() {
                Some(logical) => format!(" ({logical:?})"),
                None => String::new(),
            };
            format!(
                "type {physical}{logical} is not read: write it as a number, a text or a timestamp"
            )
        })
    }

    fn of_bytes(column: &ColumnDescriptor) -> Option<Self> {
        match column.logical_type_ref() {
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
            Some(LogicalType::Timestamp(timestamp)) => {
                Some(Self::Timestamp(match timestamp.unit {
                    TimeUnit::MILLIS => 1_000,
                    TimeUnit::MICROS => 1_000_000,
                    TimeUnit::NANOS => 1_000_000_000,
                }))
            }
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
            ConvertedType::TIMESTAMP_MILLIS => Some(Self::Timestamp(1_000)),
            ConvertedType::TIMESTAMP_MICROS => Some(Self::Timestamp(1_000_000)),
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
            Self::Decimal(scale) => decimal_text(value, scale),
            Self::Date => moment(value.checked_mul(86_400), 0)
                .map(|m| m.date_naive().to_string())
                .unwrap_or_else(|| value.to_string()),
            Self::Timestamp(ticks) => {
                let nanos = value.rem_euclid(ticks) * (1_000_000_000 / ticks);
                moment(Some(value.div_euclid(ticks)), nanos as u32)
                    .map(rfc3339)
                    .unwrap_or_else(|| value.to_string())
            }
            Self::Unsigned => (value as u64).to_string(),
            _ => value.to_string(),
        }
    }

    fn is_exact(self, value: i64) -> bool {
        const EXACT: u64 = 1 << 53;
        match self {
            Self::Signed => value.unsigned_abs() <= EXACT,
            Self::Unsigned => (value as u64) <= EXACT,
            _ => false,
        }
    }
}

fn moment(seconds: Option<i64>, nanos: u32) -> Option<Timestamp> {
    Timestamp::from_timestamp(seconds?, nanos)
}

fn decimal_text(unscaled: i64, scale: usize) -> String {
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
}

impl OpenColumn {
    pub(super) fn new(reader: ColumnReader, conversion: Conversion, max_level: i16) -> Self {
        Self {
            reader,
            conversion,
            max_level,
            levels: Vec::new(),
        }
    }

    /// Reads the next `n` cells; rows whose cell is not UTF-8 are added to `defects`.
    pub(super) fn read(
        &mut self,
        n: usize,
        defects: &mut Vec<(usize, String)>,
    ) -> Result<RawColumn, String> {
        self.levels.clear();
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
                self.utf8(&values, defects)
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

    fn utf8(
        &self,
        values: &[ByteArray],
        defects: &mut Vec<(usize, String)>,
    ) -> Result<RawColumn, String> {
        const LIMIT: usize = 1 << 30;
        let n_bytes: usize = values.iter().map(ByteArray::len).sum();
        if n_bytes > LIMIT {
            return Err(format!("{n_bytes} bytes of text in {} rows", values.len()));
        }
        let mut texts = TextColumn::new();
        for (row, cell) in self.spread(values.iter()).enumerate() {
            let text = cell.map(|bytes| std::str::from_utf8(bytes.data()));
            if matches!(text, Some(Err(_))) {
                defects.push((row, "a text is not UTF-8".to_owned()));
            }
            texts.push(text.and_then(Result::ok));
        }
        Ok(RawColumn::Text(texts))
    }

    /// Lays the values that are there out over all rows, by the definition levels.
    fn spread<T>(&self, mut values: impl Iterator<Item = T>) -> impl Iterator<Item = Option<T>> {
        self.levels
            .iter()
            .map(move |&level| (level == self.max_level).then(|| values.next()).flatten())
    }
}

/// Reads the values of `n` rows; `levels` gets one definition level a row.
fn read_values<D: DataType>(
    reader: &mut ColumnReaderImpl<D>,
    n: usize,
    levels: &mut Vec<i16>,
) -> Result<Vec<D::T>, String> {
    let mut values = Vec::with_capacity(n);
    let mut done = 0;
    while done < n {
        let (rows, _, got) = reader
            .read_records(n - done, Some(levels), None, &mut values)
            .map_err(|e: ParquetError| format!("damaged: {e}"))?;
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
