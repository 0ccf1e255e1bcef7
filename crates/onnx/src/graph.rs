//! A graph under construction: values, and the operators that make them.

use std::collections::BTreeSet;

use crate::{
    ExportError,
    messages::{self, Attribute, Element, Tensor, ValueInfo},
};

/// The domain of the operators for fitted models.
pub(crate) const ML_DOMAIN: &str = "ai.onnx.ml";

/// A value of the graph: an input, a constant, or what an operator gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value(usize);

/// A graph whose inputs bear the names of raw columns; every name occurs once.
pub(crate) struct Graph {
    /// The name of each value.
    names: Vec<String>,
    inputs: Vec<ValueInfo>,
    outputs: Vec<ValueInfo>,
    constants: Vec<(Value, Tensor)>,
    nodes: Vec<Call>,
    section: &'static str,
    reserved: BTreeSet<String>,
}

struct Call {
    domain: &'static str,
    operator: &'static str,
    inputs: Vec<Value>,
    output: Value,
    attributes: Vec<Attribute>,
}

impl Graph {
    /// Begins a graph that will have outputs of these names.
    pub(crate) fn new(outputs: &[&str]) -> Self {
        Self {
            names: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            constants: Vec::new(),
            nodes: Vec::new(),
            section: "",
            reserved: outputs.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// Names the part of the graph that what follows belongs to; viewers fold it.
    pub(crate) fn section(&mut self, section: &'static str) {
        self.section = section;
    }

    /// Adds an input, rows × 1, or a vector where there is no width.
    pub(crate) fn input(
        &mut self,
        name: &str,
        element: Element,
        width: Option<usize>,
        doc_string: String,
    ) -> Result<Value, ExportError> {
        // An empty name means "left out" in ONNX.
        if name.is_empty() || !self.reserved.insert(name.to_owned()) {
            return Err(ExportError::InputName {
                column: name.to_owned(),
            });
        }
        self.inputs.push(ValueInfo {
            name: name.to_owned(),
            element,
            width,
            doc_string,
        });
        Ok(self.value(name.to_owned()))
    }

    /// Adds a constant, or finds it among those that are there.
    pub(crate) fn constant(&mut self, tensor: Tensor) -> Value {
        if let Some((value, _)) = self.constants.iter().find(|(_, known)| *known == tensor) {
            return *value;
        }
        let value = self.intermediate("constants/");
        self.constants.push((value, tensor));
        value
    }

    /// Adds a number as a constant.
    pub(crate) fn number(&mut self, number: f64) -> Value {
        self.constant(Tensor::doubles(&[], [number]))
    }

    /// Adds numbers, one a column, as a constant.
    pub(crate) fn numbers(&mut self, numbers: impl IntoIterator<Item = f64>) -> Value {
        let numbers: Vec<f64> = numbers.into_iter().collect();
        self.constant(Tensor::doubles(&[numbers.len()], numbers))
    }

    /// Adds positions as a constant.
    pub(crate) fn positions(&mut self, positions: impl IntoIterator<Item = usize>) -> Value {
        let positions: Vec<i64> = positions.into_iter().map(|at| at as i64).collect();
        self.constant(Tensor::ints(&[positions.len()], positions))
    }

    /// Adds truth values, one a column, as a constant.
    pub(crate) fn truths(&mut self, truths: impl IntoIterator<Item = bool>) -> Value {
        let truths: Vec<bool> = truths.into_iter().collect();
        self.constant(Tensor::bools(&[truths.len()], truths))
    }

    /// Applies an operator.
    pub(crate) fn call(&mut self, operator: &'static str, inputs: &[Value]) -> Value {
        self.call_with(operator, inputs, Vec::new())
    }

    /// Applies an operator with attributes.
    pub(crate) fn call_with(
        &mut self,
        operator: &'static str,
        inputs: &[Value],
        attributes: Vec<Attribute>,
    ) -> Value {
        self.push("", operator, inputs, attributes)
    }

    /// Applies an operator for fitted models.
    pub(crate) fn call_ml(
        &mut self,
        operator: &'static str,
        input: Value,
        attributes: Vec<Attribute>,
    ) -> Value {
        self.push(ML_DOMAIN, operator, &[input], attributes)
    }

    /// Converts a value to another type.
    pub(crate) fn cast(&mut self, value: Value, to: Element) -> Value {
        let to = vec![Attribute::int("to", to.code())];
        self.call_with("Cast", &[value], to)
    }

    /// Puts values side by side.
    pub(crate) fn concat(&mut self, values: &[Value]) -> Value {
        match values {
            [one] => *one,
            _ => self.call_with("Concat", values, vec![Attribute::int("axis", 1)]),
        }
    }

    /// Takes columns, in this order; one may be taken more than once.
    pub(crate) fn columns(
        &mut self,
        table: Value,
        columns: impl IntoIterator<Item = usize>,
    ) -> Value {
        let columns = self.positions(columns);
        let axis = vec![Attribute::int("axis", 1)];
        self.call_with("Gather", &[table, columns], axis)
    }

    /// Adds up each row of numbers: rows × 1.
    pub(crate) fn row_sum(&mut self, table: Value) -> Value {
        let axes = self.positions([1]);
        self.call("ReduceSum", &[table, axes])
    }

    /// Returns for each row whether any of its truth values is true: rows × 1.
    pub(crate) fn row_any(&mut self, truths: Value) -> Value {
        let numbers = self.cast(truths, Element::Float);
        let axes = vec![Attribute::ints("axes", vec![1])];
        let largest = self.call_with("ReduceMax", &[numbers], axes);
        self.cast(largest, Element::Bool)
    }

    /// Makes a vector one column.
    pub(crate) fn column(&mut self, vector: Value) -> Value {
        let shape = self.constant(Tensor::ints(&[2], [-1, 1]));
        self.call("Reshape", &[vector, shape])
    }

    /// Makes one column a vector, and that an output.
    pub(crate) fn output_vector(&mut self, name: &str, column: Value, element: Element) {
        let shape = self.constant(Tensor::ints(&[1], [-1]));
        let vector = self.call("Reshape", &[column, shape]);
        self.output(name, vector, element, None);
    }

    /// Makes a value an output under its name, which was given to [`Self::new`].
    pub(crate) fn output(
        &mut self,
        name: &str,
        value: Value,
        element: Element,
        width: Option<usize>,
    ) {
        debug_assert!(self.reserved.contains(name), "`{name}` was not announced");
        name.clone_into(&mut self.names[value.0]);
        self.outputs.push(ValueInfo {
            name: name.to_owned(),
            element,
            width,
            doc_string: String::new(),
        });
    }

    /// Completes the graph.
    pub(crate) fn finish(self, name: &str) -> messages::Graph {
        let names = self.names;
        let name_of = |value: Value| names[value.0].clone();
        let node = |call: Call| messages::Node {
            inputs: call.inputs.into_iter().map(name_of).collect(),
            output: name_of(call.output),
            domain: call.domain,
            operator: call.operator,
            attributes: call.attributes,
        };
        let constants = self.constants.into_iter();
        messages::Graph {
            nodes: self.nodes.into_iter().map(node).collect(),
            name: name.to_owned(),
            constants: constants.map(|(v, tensor)| (name_of(v), tensor)).collect(),
            inputs: self.inputs,
            outputs: self.outputs,
        }
    }

    fn push(
        &mut self,
        domain: &'static str,
        operator: &'static str,
        inputs: &[Value],
        attributes: Vec<Attribute>,
    ) -> Value {
        let output = self.intermediate(&format!("{}/{operator}_", self.section));
        self.nodes.push(Call {
            domain,
            operator,
            inputs: inputs.to_vec(),
            output,
            attributes,
        });
        output
    }

    /// Adds a value whose name begins so.
    fn intermediate(&mut self, prefix: &str) -> Value {
        let mut name = format!("{prefix}{}", self.names.len());
        // No column has such a name in earnest, but any may.
        while !self.reserved.insert(name.clone()) {
            name.push('_');
        }
        self.value(name)
    }

    fn value(&mut self, name: String) -> Value {
        self.names.push(name);
        Value(self.names.len() - 1)
    }
}
