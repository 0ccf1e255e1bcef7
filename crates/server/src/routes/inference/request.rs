//! A request of the Open Inference Protocol: tensors in, and which outputs are asked for.

use std::fmt;

use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{OUTPUTS, datatype::Datatype};
use crate::{
    detector::Detector,
    problem::{Faults, Problem},
    records::{self, Cell, Layout, Object, Places, Rows, Whole, check_length},
};

/// What was asked.
pub struct Request<'d> {
    /// Given back with the answer.
    pub id: Option<String>,
    /// The rows of the tensors.
    pub rows: Rows<'d>,
    /// Which of [`OUTPUTS`] are asked for, in the order that was asked.
    pub outputs: Vec<usize>,
}

const LIST: &str = "a list of tensors, one a column";

/// Reads a body.
///
/// # Errors
/// Status 400 when it is no JSON, 422 with every problem otherwise.
pub fn read<'d>(detector: &'d Detector, body: &[u8], most: usize) -> Result<Request<'d>, Problem> {
    let known = records::known_json(body, records::Stand::Text)?;
    let mut rows = Rows::new(detector, "inputs", most);
    let names = ["id", "inputs", "outputs", "parameters"];
    let Some(request) = Object::read(records::value(&known)?, "", &names, rows.faults()) else {
        return Err(Problem::refused(std::mem::take(rows.faults())));
    };
    let id = request.get("id", "a text", rows.faults());
    let outputs = read_outputs(&request, rows.faults());
    check_parameters(&request, rows.faults());
    let inputs: Option<Vec<&RawValue>> = request.need("inputs", LIST, rows.faults());
    read_tensors(detector, &inputs.unwrap_or_default(), most, &mut rows);
    let rows = rows.finish(Ok(()))?;
    Ok(Request { id, rows, outputs })
}

/// Checks that parameters are an object; none of them changes an answer.
fn check_parameters(of: &Object<'_>, faults: &mut Faults) {
    if let Some(parameters) = of.member("parameters") {
        Object::read_any(parameters, of.path_of("parameters"), "an object", faults);
    }
}

/// Reads which outputs are asked for; all of them where nothing is said.
fn read_outputs(request: &Object<'_>, faults: &mut Faults) -> Vec<usize> {
    let all = (0..OUTPUTS.len()).collect();
    let asked: Option<Vec<&RawValue>> =
        request.get("outputs", "a list of outputs, each with its `name`", faults);
    let asked = asked.unwrap_or_default();
    if asked.is_empty() {
        return all;
    }
    let mut found = Vec::new();
    for (at, value) in asked.into_iter().enumerate() {
        let names = ["name", "parameters"];
        let Some(output) = Object::read(value, format!("outputs[{at}]"), &names, faults) else {
            continue;
        };
        check_parameters(&output, faults);
        let name: Option<String> = output.need("name", "the name of an output", faults);
        let Some(name) = name else { continue };
        match OUTPUTS.iter().position(|(known, _)| *known == name) {
            Some(known) if found.contains(&known) => {
                faults.push(|| output.path_of("name"), "asked for twice");
            }
            Some(known) => found.push(known),
            None => {
                let known = OUTPUTS.map(|(name, _)| name).join(", ");
                let problem = format!("there is no such output; the model gives {known}");
                faults.push(|| output.path_of("name"), problem);
            }
        }
    }
    found
}

/// One tensor of a request.
struct Tensor<'a> {
    name: String,
    datatype: Option<Datatype>,
    data: Vec<Cell<'a>>,
}

fn read_tensors(detector: &Detector, values: &[&RawValue], most: usize, rows: &mut Rows<'_>) {
    let mut tensors: Vec<Tensor<'_>> = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        tensors.extend(read_tensor(detector, at, value, most, rows.faults()));
    }
    // Without one of them the places of the others are not known, nor which columns are missing.
    if tensors.is_empty() || tensors.len() != values.len() {
        return;
    }
    let names = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut places = Places::find(Layout::Tensors, names, rows);
    places.note_missing(rows);
    for (at, tensor) in tensors.iter().enumerate() {
        let suits = places
            .column(at)
            .zip(tensor.datatype)
            .map(|(column, datatype)| datatype.check_column(&detector.columns()[column]));
        if let Some(Err(problem)) = suits {
            let path = || format!("inputs[{at}].datatype");
            rows.faults().push(path, problem);
            places.pass_over(at);
        }
    }
    let lists: Vec<&[Cell<'_>]> = tensors.iter().map(|t| t.data.as_slice()).collect();
    places.push_lists(rows, &lists, |at, cell| {
        tensors[at]
            .datatype
            .map_or(Ok(()), |datatype| datatype.check(cell))
    });
}

/// Reads a tensor; its problems are noted, and what can be read of it all the same is returned.
fn read_tensor<'a>(
    detector: &Detector,
    at: usize,
    value: &'a RawValue,
    most: usize,
    faults: &mut Faults,
) -> Option<Tensor<'a>> {
    let names = ["name", "shape", "datatype", "data", "parameters"];
    let tensor = Object::read(value, format!("inputs[{at}]"), &names, faults)?;
    check_parameters(&tensor, faults);
    let name: Option<String> = tensor.need("name", "the name of a column", faults);
    let datatype = tensor.need("datatype", "the name of a datatype, such as FP64", faults);
    let datatype = datatype.and_then(|given: String| {
        let found = Datatype::of(&given);
        if found.is_none() {
            let known = Datatype::names();
            let problem = format!("there is no such datatype; JSON can have {known}");
            faults.push(|| tensor.path_of("datatype"), problem);
        }
        found
    });
    let shape: Option<Vec<Whole>> = tensor.need("shape", "a list of whole numbers", faults);
    // Of what is no column of the model nothing is read.
    let is_known = |name: &String| detector.field(name, at).is_some();
    if name.as_ref().is_some_and(|name| !is_known(name)) {
        return Some(Tensor {
            name: name?,
            datatype: None,
            data: Vec::new(),
        });
    }
    let data = read_data(&tensor, most, faults);
    if let (Some(shape), Some(data)) = (shape, &data) {
        let shape: Vec<u64> = shape.into_iter().map(|Whole(size)| size).collect();
        check_shape(&tensor, &shape, data.len() as u64, faults);
    }
    Some(Tensor {
        name: name?,
        datatype,
        data: data?,
    })
}

/// Reads the values of a tensor, at most so many; in two dimensions they may stand each in a list of its own, as NumPy
/// writes them.
fn read_data<'a>(tensor: &Object<'a>, most: usize, faults: &mut Faults) -> Option<Vec<Cell<'a>>> {
    let is_nested = is_nested(tensor);
    let what = match is_nested {
        true => "a list of values, nor one of lists with a value each",
        false => "a list of values, as JSON",
    };
    let data: &RawValue = tensor.need("data", what, faults)?;
    check_length(data, || tensor.path_of("data"), what, most, faults)?;
    match is_nested {
        true => read_nested(tensor, what, faults),
        false => tensor.get("data", what, faults),
    }
}

fn read_nested<'a>(tensor: &Object<'a>, what: &str, faults: &mut Faults) -> Option<Vec<Cell<'a>>> {
    let rows: Vec<Single<'a>> = tensor.get("data", what, faults)?;
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.length != 1) {
        faults.note(|| {
            let problem = format!("{} values, where one stands for a row", row.length);
            (format!("{}[{at}]", tensor.path_of("data")), problem)
        });
    }
    let cells = rows.into_iter();
    cells
        .map(|row| row.first.filter(|_| row.length == 1))
        .collect()
}

fn is_nested(tensor: &Object<'_>) -> bool {
    let data = tensor.member("data").map_or("", RawValue::get);
    let inner = data.strip_prefix('[').unwrap_or_default();
    inner.trim_start().starts_with('[')
}

/// Sizes of a shape that are shown at most.
const SHOWN_SIZES: usize = 8;

fn check_shape(tensor: &Object<'_>, shape: &[u64], n: u64, faults: &mut Faults) {
    let rest = if shape.len() > SHOWN_SIZES {
        ", …"
    } else {
        ""
    };
    let sizes: Vec<String> = shape.iter().take(SHOWN_SIZES).map(u64::to_string).collect();
    let given = format!("[{}{rest}]", sizes.join(", "));
    let problem = match is_nested(tensor) {
        _ if shape == [n, 1] => return,
        false if shape == [n] => return,
        false => format!("{n} values do not have the shape {given}: use [{n}] or [{n}, 1]"),
        true => format!("{n} lists of a value do not have the shape {given}: use [{n}, 1]"),
    };
    faults.push(|| tensor.path_of("shape"), problem);
}

/// A list that should have one value: of more than the first, only how many there are is kept.
struct Single<'a> {
    first: Option<Cell<'a>>,
    length: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for Single<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AnySingle)
    }
}

struct AnySingle;

impl<'de> Visitor<'de> for AnySingle {
    type Value = Single<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of one value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Single<'de>, A::Error> {
        let first = list.next_element()?;
        let mut length = usize::from(first.is_some());
        while list.next_element::<IgnoredAny>()?.is_some() {
            length += 1;
        }
        Ok(Single { first, length })
    }
}
