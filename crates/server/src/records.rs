//! Records of a request, read straight into cells: no value is built in between.

mod cells;
mod literals;
mod object;
mod record;
mod whole;

use std::borrow::Cow;

use dataset::{Column, ColumnType, cell::CellProblem};
use model::scoring::{CellReader, RawCell};
use serde::{
    Deserializer as _,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    detector::Detector,
    problem::{Faults, Problem},
};
pub use cells::{Cell, Layout, Places, check_length, length};
pub use literals::{Stand, name_in_path, shown};
pub use object::{MOST_MEMBERS, Object, read_as};
use record::Record;
pub use whole::Whole;

/// Marks a cell that a record has not named yet: a NaN that no reader gives.
const UNNAMED: u64 = 0x7ff8_dead_0000_0001;

/// Rows of cells as a request has them, and everything that is wrong with them.
pub struct Rows<'d> {
    detector: &'d Detector,
    reader: CellReader<'d>,
    /// What the list of rows is called in the request.
    root: &'static str,
    most: usize,
    cells: Vec<f64>,
    n_rows: usize,
    faults: Faults,
    reading: Reading,
}

/// Where in a body reading has come to.
#[derive(Debug, Clone, Copy)]
enum Reading {
    Body,
    List,
    Record,
}

/// A value of a request.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Null,
    Truth(bool),
    Number(f64),
    Text(&'a str),
    /// What no cell can be, in words.
    Other(&'static str),
}

/// What the body of `/v1/predict` and `/v1/explain` holds.
pub struct Request<'d> {
    /// The records.
    pub rows: Rows<'d>,
    /// How many reasons are asked for, where that may be asked.
    pub top: Option<Whole>,
}

/// Reads a body of `{"records": [{…}, …]}`; `top` may stand beside it where `with_top` says so.
///
/// # Errors
/// Status 400 when it is no JSON, 422 with every problem otherwise.
pub fn read<'d>(
    detector: &'d Detector,
    body: &[u8],
    most: usize,
    with_top: bool,
) -> Result<Request<'d>, Problem> {
    let parse = |text: &[u8]| {
        let mut request = Request {
            rows: Rows::new(detector, "records", most),
            top: None,
        };
        let mut json = serde_json::Deserializer::from_slice(text);
        let visitor = Document {
            request: &mut request,
            with_top,
        };
        let result = json.deserialize_map(visitor).and_then(|()| json.end());
        (request, result)
    };
    let (request, result) = checked(body, parse)?;
    let Request { rows, top } = request;
    let rows = rows.finish(result)?;
    Ok(Request { rows, top })
}

/// Reads a JSON list of records that stands somewhere in a body.
///
/// # Errors
/// As [`read`].
pub fn read_list<'d>(
    detector: &'d Detector,
    text: &[u8],
    root: &'static str,
    most: usize,
) -> Result<Rows<'d>, Problem> {
    let parse = |text: &[u8]| {
        let mut rows = Rows::new(detector, root, most);
        rows.reading = Reading::List;
        let mut json = serde_json::Deserializer::from_slice(text);
        let result = List(&mut rows).deserialize(&mut json);
        (rows, result.and_then(|()| json.end()))
    };
    let (rows, result) = checked(text, parse)?;
    rows.finish(result)
}

/// Returns a body as JSON; something else stands for numbers that JSON does not know.
///
/// # Errors
/// Status 400 when it is no JSON all the same.
pub fn known_json(body: &[u8], by: Stand) -> Result<Cow<'_, [u8]>, Problem> {
    check_utf8(body)?;
    let known = literals::replaced(body, by).map_or(Cow::Borrowed(body), Cow::Owned);
    match serde_json::from_slice::<IgnoredAny>(&known) {
        Ok(_) => Ok(known),
        Err(error) => Err(no_json(body, &known, by, &error)),
    }
}

/// Returns what is known to be JSON, to be looked into.
///
/// # Errors
/// Status 400 when it is none.
pub fn value(known: &[u8]) -> Result<&RawValue, Problem> {
    serde_json::from_slice(known).map_err(|error| no_json(known, known, Stand::Text, &error))
}

/// Says where a text stops being JSON; the error is of what [`literals::replaced`] has made of it.
fn no_json(sent: &[u8], known: &[u8], by: Stand, error: &serde_json::Error) -> Problem {
    let line = error.line();
    let column = literals::column_as_sent(sent, known, by, (line, error.column()));
    let detail = match character_at(sent, line, column) {
        _ if sent.trim_ascii().is_empty() => "the body is empty: send JSON".to_owned(),
        _ if error.is_eof() => {
            format!("the body is no JSON: it is cut short, at line {line}, column {column}")
        }
        Some(found) => format!(
            "the body is no JSON: `{found}` does not belong at line {line}, column {column}"
        ),
        None => format!("the body is no JSON from line {line}, column {column} on"),
    };
    Problem::bad_request(detail)
}

/// Returns the character at a place, both of whose numbers begin with 1, when it can be shown; columns are counted in
/// bytes.
fn character_at(text: &[u8], line: usize, column: usize) -> Option<char> {
    let line = text
        .split(|byte| *byte == b'\n')
        .nth(line.checked_sub(1)?)?;
    // A control character in a text is noticed one place before it.
    if line.get(column).is_some_and(u8::is_ascii_control) {
        return None;
    }
    let rest = line.get(column.checked_sub(1)?..)?;
    let found = std::str::from_utf8(rest).ok()?.chars().next()?;
    (!found.is_control()).then_some(found)
}

fn check_utf8(body: &[u8]) -> Result<(), Problem> {
    std::str::from_utf8(body).map(drop).map_err(|error| {
        let at = error.valid_up_to();
        Problem::bad_request(format!("the body is no JSON: byte {at} is not UTF-8"))
    })
}

/// Parses; when the text is no JSON for its NaN, infinite or huge numbers alone, parses it with these
/// as texts, which are then refused with their places.
fn checked<T>(
    body: &[u8],
    parse: impl Fn(&[u8]) -> (T, serde_json::Result<()>),
) -> Result<(T, serde_json::Result<()>), Problem> {
    // What is passed over is not looked into, not even for this.
    check_utf8(body)?;
    let (parsed, result) = parse(body);
    let error = match result {
        Err(error) if !error.is_data() => error,
        result => return Ok((parsed, result)),
    };
    if let Some(repaired) = literals::replaced(body, Stand::Text) {
        return match parse(&repaired) {
            (_, Err(error)) if !error.is_data() => {
                Err(no_json(body, &repaired, Stand::Text, &error))
            }
            parsed => Ok(parsed),
        };
    }
    Err(no_json(body, body, Stand::Text, &error))
}

impl<'d> Rows<'d> {
    /// Makes an empty list of rows; `root` is what it is called in the request.
    pub fn new(detector: &'d Detector, root: &'static str, most: usize) -> Self {
        Self {
            detector,
            reader: CellReader::new(&detector.bundle.schema),
            root,
            most,
            cells: Vec::with_capacity(detector.columns().len()),
            n_rows: 0,
            faults: Faults::default(),
            reading: Reading::Body,
        }
    }

    /// Returns all cells, row after row; NaN where one is missing.
    pub fn cells(&self) -> &[f64] {
        &self.cells
    }

    /// Begins a row; says whether it is one too many.
    pub fn start(&mut self) -> bool {
        if self.n_rows == self.most {
            let most = self.most;
            let root = self.root;
            self.faults.push(
                || root.to_owned(),
                format!("more than {most} records: send them as a file, or in parts"),
            );
            return true;
        }
        let width = self.detector.columns().len();
        let all = self.cells.len() + width;
        self.cells.resize(all, f64::from_bits(UNNAMED));
        false
    }

    /// Sets a cell of the row.
    pub fn set(&mut self, column: usize, value: Value<'_>) {
        if let Err(problem) = self.put(column, value) {
            self.fault(column, problem);
        }
    }

    /// Sets a cell of the row, or says what is wrong with it.
    fn put(&mut self, column: usize, value: Value<'_>) -> Result<(), String> {
        let columns = self.detector.columns();
        let place = self.n_rows * columns.len() + column;
        if self.cells[place].to_bits() != UNNAMED {
            return Err("named twice".to_owned());
        }
        self.cells[place] = f64::NAN;
        self.cells[place] = read_cell(&self.reader, &columns[column], value)?;
        Ok(())
    }

    /// Ends the row: columns that it has not named are missing.
    pub fn end(&mut self) {
        let columns = self.detector.columns();
        let first = self.n_rows * columns.len();
        for (at, column) in columns.iter().enumerate() {
            if !column.may_be_missing && self.cells[first + at].to_bits() == UNNAMED {
                self.fault(at, "missing");
            }
        }
        self.close();
    }

    /// Ends the row: nothing is said of columns that it has not named.
    fn close(&mut self) {
        let first = self.n_rows * self.detector.columns().len();
        for cell in &mut self.cells[first..] {
            if cell.to_bits() == UNNAMED {
                *cell = f64::NAN;
            }
        }
        self.n_rows += 1;
    }

    /// Notes that something else stands where a record should; it counts as one, and may be one too many.
    fn no_record(&mut self, shown: &str) -> bool {
        let path = || format!("{}[{}]", self.root, self.n_rows);
        let problem = format!("`{shown}` is not a record: give an object of values by column name");
        self.faults.push(path, problem);
        let is_too_many = self.start();
        if !is_too_many {
            self.close();
        }
        is_too_many
    }

    /// Notes a name that is no column.
    pub fn unknown(&mut self, name: &str) {
        let (root, row) = (self.root, self.n_rows);
        self.faults.note(|| {
            let name = name_in_path(name);
            let problem = no_column(self.detector, &name);
            (format!("{root}[{row}].{name}"), problem)
        });
    }

    /// Notes what is wrong with a column of the row.
    fn fault(&mut self, column: usize, problem: impl Into<String>) {
        let name = &self.detector.columns()[column].name;
        let path = || format!("{}[{}].{name}", self.root, self.n_rows);
        self.faults.push(path, problem);
    }

    /// Returns what is wrong with the whole so far, so that more can be noted.
    pub fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Gives the rows when nothing is wrong with them.
    ///
    /// # Errors
    /// Status 422 with every problem.
    pub fn finish(mut self, result: serde_json::Result<()>) -> Result<Self, Problem> {
        if result.is_err() && self.faults.is_empty() {
            let (path, problem) = self.another_shape();
            self.faults.push(|| path, problem);
        }
        if self.n_rows == 0 && self.faults.is_empty() {
            let root = self.root;
            self.faults
                .push(|| root.to_owned(), "no records: give at least one");
        }
        if self.faults.is_empty() {
            Ok(self)
        } else {
            Err(Problem::refused(self.faults))
        }
    }

    /// Says what should have stood where reading has come to an end.
    fn another_shape(&self) -> (String, &'static str) {
        match self.reading {
            Reading::Body => (String::new(), "not an object: give one with `records`"),
            Reading::List => (self.root.to_owned(), "not a list: give a list of records"),
            Reading::Record => (
                format!("{}[{}]", self.root, self.n_rows),
                "not a record: give an object of values by column name",
            ),
        }
    }
}

/// Says that a name is no column's.
fn no_column(detector: &Detector, name: &str) -> String {
    match detector.nearest(name) {
        Some(near) => format!("there is no such column; did you mean `{near}`?"),
        None => "there is no such column".to_owned(),
    }
}

/// Reads a cell as strictly as JSON can say it: a number is not a text, nor a text a number.
fn read_cell(reader: &CellReader<'_>, column: &Column, value: Value<'_>) -> Result<f64, String> {
    let wrong = |shown: &str| Err(CellProblem::WrongType.describe(column, shown));
    match (value, column.kind) {
        (Value::Null, _) => reader.read(column, RawCell::Null),
        (Value::Number(number), ColumnType::Text) => wrong(&dataset::format_number(number)),
        (Value::Number(number), _) => reader.read(column, RawCell::Number(number)),
        (Value::Truth(truth), ColumnType::Boolean) => {
            reader.read(column, RawCell::Number(f64::from(u8::from(truth))))
        }
        (Value::Truth(truth), _) => wrong(if truth { "true" } else { "false" }),
        (Value::Text(text), ColumnType::Text) => reader.read(column, RawCell::Text(text)),
        (Value::Text(text), _) => wrong(&shown(text)),
        (Value::Other(what), _) => wrong(what),
    }
}

/// The object that a body is.
struct Document<'r, 'd> {
    request: &'r mut Request<'d>,
    with_top: bool,
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with `records`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut has_records, mut has_top) = (false, false);
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            match &*name {
                "records" if !has_records => {
                    has_records = true;
                    self.request.rows.reading = Reading::List;
                    map.next_value_seed(List(&mut self.request.rows))?;
                    self.request.rows.reading = Reading::Body;
                }
                "top" if self.with_top && !has_top => {
                    has_top = true;
                    let top: &RawValue = map.next_value()?;
                    let faults = &mut self.request.rows.faults;
                    self.request.top =
                        read_as::<Option<Whole>>(top, || "top".to_owned(), Whole::WHAT, faults)
                            .flatten();
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    let path = || name_in_path(&name);
                    let faults = &mut self.request.rows.faults;
                    faults.push(path, "unknown, or given twice: give `records` once");
                }
            }
        }
        if !has_records {
            let faults = &mut self.request.rows.faults;
            faults.push(|| "records".to_owned(), "missing: give a list of records");
        }
        Ok(())
    }
}

/// A list of records.
struct List<'r, 'd>(&'r mut Rows<'d>);

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.reading = Reading::Record;
        while list.next_element_seed(Record(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests;
