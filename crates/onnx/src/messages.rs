//! The messages of `onnx.proto` that a model needs, with the numbers of their fields.

use crate::wire::{Message, Writer};

/// `ModelProto`.
pub(crate) struct Model {
    pub(crate) ir_version: i64,
    pub(crate) producer_name: &'static str,
    pub(crate) producer_version: &'static str,
    pub(crate) model_version: i64,
    pub(crate) doc_string: String,
    pub(crate) graph: Graph,
    pub(crate) operator_sets: Vec<OperatorSet>,
    pub(crate) metadata: Vec<(&'static str, String)>,
}

impl Message for Model {
    fn write(&self, out: &mut Writer) {
        out.int(1, self.ir_version);
        out.text(2, self.producer_name);
        out.text(3, self.producer_version);
        out.int(5, self.model_version);
        out.text(6, &self.doc_string);
        out.message(7, &self.graph);
        for set in &self.operator_sets {
            out.message(8, set);
        }
        for (key, value) in &self.metadata {
            out.message(14, &Entry { key, value });
        }
    }
}

/// `OperatorSetIdProto`.
pub(crate) struct OperatorSet {
    pub(crate) domain: &'static str,
    pub(crate) version: i64,
}

impl Message for OperatorSet {
    fn write(&self, out: &mut Writer) {
        out.text(1, self.domain);
        out.int(2, self.version);
    }
}

/// `StringStringEntryProto`.
struct Entry<'a> {
    key: &'a str,
    value: &'a str,
}

impl Message for Entry<'_> {
    fn write(&self, out: &mut Writer) {
        out.text(1, self.key);
        out.text(2, self.value);
    }
}

/// `GraphProto`.
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) name: String,
    pub(crate) constants: Vec<(String, Tensor)>,
    pub(crate) inputs: Vec<ValueInfo>,
    pub(crate) outputs: Vec<ValueInfo>,
}

impl Message for Graph {
    fn write(&self, out: &mut Writer) {
        for node in &self.nodes {
            out.message(1, node);
        }
        out.text(2, &self.name);
        for (name, tensor) in &self.constants {
            out.message(5, &Named { name, tensor });
        }
        for input in &self.inputs {
            out.message(11, input);
        }
        for output in &self.outputs {
            out.message(12, output);
        }
    }
}

/// `NodeProto`.
pub(crate) struct Node {
    pub(crate) inputs: Vec<String>,
    pub(crate) output: String,
    pub(crate) domain: &'static str,
    pub(crate) operator: &'static str,
    pub(crate) attributes: Vec<Attribute>,
}

impl Message for Node {
    fn write(&self, out: &mut Writer) {
        for input in &self.inputs {
            out.text(1, input);
        }
        out.text(2, &self.output);
        out.text(3, &self.output);
        out.text(4, self.operator);
        for attribute in &self.attributes {
            out.message(5, attribute);
        }
        out.text(7, self.domain);
    }
}

/// `AttributeProto`.
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) value: AttributeValue,
}

pub(crate) enum AttributeValue {
    Int(i64),
    Text(&'static str),
    Tensor(Tensor),
    Ints(Vec<i64>),
    Texts(Vec<String>),
    /// As `Texts`, for many of few.
    Words(Vec<&'static str>),
}

impl Attribute {
    pub(crate) fn int(name: &'static str, value: i64) -> Self {
        let value = AttributeValue::Int(value);
        Self { name, value }
    }

    pub(crate) fn text(name: &'static str, value: &'static str) -> Self {
        let value = AttributeValue::Text(value);
        Self { name, value }
    }

    pub(crate) fn tensor(name: &'static str, value: Tensor) -> Self {
        let value = AttributeValue::Tensor(value);
        Self { name, value }
    }

    pub(crate) fn ints(name: &'static str, value: Vec<i64>) -> Self {
        let value = AttributeValue::Ints(value);
        Self { name, value }
    }

    pub(crate) fn texts(name: &'static str, value: Vec<String>) -> Self {
        let value = AttributeValue::Texts(value);
        Self { name, value }
    }

    pub(crate) fn words(name: &'static str, value: Vec<&'static str>) -> Self {
        let value = AttributeValue::Words(value);
        Self { name, value }
    }
}

impl Message for Attribute {
    fn write(&self, out: &mut Writer) {
        out.text(1, self.name);
        let kind = match &self.value {
            AttributeValue::Int(value) => {
                out.int(3, *value);
                2
            }
            AttributeValue::Text(value) => {
                out.text(4, value);
                3
            }
            AttributeValue::Tensor(tensor) => {
                let name = self.name;
                out.message(5, &Named { name, tensor });
                4
            }
            AttributeValue::Ints(values) => {
                values.iter().for_each(|value| out.int(8, *value));
                7
            }
            AttributeValue::Texts(values) => {
                values.iter().for_each(|value| out.text(9, value));
                8
            }
            AttributeValue::Words(values) => {
                values.iter().for_each(|value| out.text(9, value));
                8
            }
        };
        out.int(20, kind);
    }
}

/// What a tensor holds; the numbers are those of `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    Float = 1,
    Int64 = 7,
    Text = 8,
    Bool = 9,
    Double = 11,
}

impl Element {
    pub(crate) fn code(self) -> i64 {
        self as i64
    }
}

/// `TensorProto` without its name: values in little-endian order.
#[derive(PartialEq, Eq)]
pub(crate) struct Tensor {
    dims: Vec<usize>,
    element: Element,
    raw: Vec<u8>,
}

impl Tensor {
    /// Makes a tensor of doubles; `dims` multiply to their number.
    pub(crate) fn doubles(dims: &[usize], values: impl IntoIterator<Item = f64>) -> Self {
        Self::new(
            dims,
            Element::Double,
            values.into_iter().map(f64::to_le_bytes),
        )
    }

    /// Makes a tensor of whole numbers.
    pub(crate) fn ints(dims: &[usize], values: impl IntoIterator<Item = i64>) -> Self {
        Self::new(
            dims,
            Element::Int64,
            values.into_iter().map(i64::to_le_bytes),
        )
    }

    /// Makes a tensor of truth values.
    pub(crate) fn bools(dims: &[usize], values: impl IntoIterator<Item = bool>) -> Self {
        let bytes = values.into_iter().map(|value| [u8::from(value)]);
        Self::new(dims, Element::Bool, bytes)
    }

    fn new<const WIDTH: usize>(
        dims: &[usize],
        element: Element,
        values: impl Iterator<Item = [u8; WIDTH]>,
    ) -> Self {
        let raw: Vec<u8> = values.flatten().collect();
        debug_assert_eq!(raw.len(), WIDTH * dims.iter().product::<usize>());
        Self {
            dims: dims.to_vec(),
            element,
            raw,
        }
    }
}

struct Named<'a> {
    name: &'a str,
    tensor: &'a Tensor,
}

impl Message for Named<'_> {
    fn write(&self, out: &mut Writer) {
        for dim in &self.tensor.dims {
            out.int(1, *dim as i64);
        }
        out.int(2, self.tensor.element.code());
        out.text(8, self.name);
        out.bytes(9, &self.tensor.raw);
    }
}

/// `ValueInfoProto` of a tensor with a row for each record.
pub(crate) struct ValueInfo {
    pub(crate) name: String,
    pub(crate) element: Element,
    /// Columns; a vector has none.
    pub(crate) width: Option<usize>,
    pub(crate) doc_string: String,
}

impl Message for ValueInfo {
    fn write(&self, out: &mut Writer) {
        out.text(1, &self.name);
        out.message(2, &TensorType(self));
        out.text(3, &self.doc_string);
    }
}

/// `TypeProto`, whose first field is `TypeProto.Tensor`.
struct TensorType<'a>(&'a ValueInfo);

impl Message for TensorType<'_> {
    fn write(&self, out: &mut Writer) {
        out.message(1, &TensorOf(self.0));
    }
}

struct TensorOf<'a>(&'a ValueInfo);

impl Message for TensorOf<'_> {
    fn write(&self, out: &mut Writer) {
        out.int(1, self.0.element.code());
        out.message(2, &Shape(self.0.width));
    }
}

/// `TensorShapeProto`.
struct Shape(Option<usize>);

impl Message for Shape {
    fn write(&self, out: &mut Writer) {
        out.message(1, &Dimension::Rows);
        if let Some(width) = self.0 {
            out.message(1, &Dimension::Columns(width));
        }
    }
}

/// `TensorShapeProto.Dimension`.
enum Dimension {
    Rows,
    Columns(usize),
}

impl Message for Dimension {
    fn write(&self, out: &mut Writer) {
        match self {
            Self::Rows => out.text(2, "rows"),
            Self::Columns(width) => out.int(1, *width as i64),
        }
    }
}
