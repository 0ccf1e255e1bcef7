//! The columns of a JSON Lines file: a field may first appear, or turn to text, anywhere in it.

use std::path::Path;

use artifact::Failure;
use dataset::{Extent, RawBatch, RawColumn, TextColumn, faithful_number};
use formats::FileFormat;

/// The columns that all rows of a file have between them, in the order in which they appear.
pub struct Survey {
    names: Vec<String>,
    is_text: Vec<bool>,
}

impl Survey {
    /// Reads a file through; `None` for formats whose first rows tell their columns.
    pub fn of(path: &Path, format: &FileFormat) -> Result<Option<Self>, Failure> {
        if *format != FileFormat::JsonLines {
            return Ok(None);
        }
        let mut survey = Self {
            names: Vec::new(),
            is_text: Vec::new(),
        };
        let mut source = formats::open(path, format)?;
        while let Some(batch) = source.next_batch()? {
            survey.see(&batch);
        }
        Ok(Some(survey))
    }

    fn see(&mut self, batch: &RawBatch) {
        for (name, column) in batch.names.iter().zip(&batch.columns) {
            let is_text = matches!(column, RawColumn::Text(_));
            match self.names.iter().position(|known| known == name) {
                Some(at) => self.is_text[at] |= is_text,
                None => {
                    self.names.push(name.clone());
                    self.is_text.push(is_text);
                }
            }
        }
    }

    /// Gives a batch of the file all of its columns, each of one type throughout.
    pub fn conform(&self, batch: &mut RawBatch) {
        let n = batch.n_rows();
        let columns = self.names.iter().zip(&self.is_text).map(|(name, is_text)| {
            let own = batch.position(name).map(|at| &batch.columns[at]);
            match (own, is_text) {
                (None, true) => RawColumn::Text((0..n).map(|_| None).collect()),
                (None, false) => RawColumn::Number(vec![f64::NAN; n]),
                (Some(RawColumn::Number(numbers)), true) => RawColumn::Text(as_texts(numbers)),
                (Some(column), _) => column.clone(),
            }
        });
        batch.columns = columns.collect();
        for defect in &mut batch.defects {
            if let Extent::Cell { column, .. } = &mut defect.extent {
                let place = |name: &String| self.names.iter().position(|known| known == name);
                *column = place(&batch.names[*column]).unwrap_or(*column);
            }
        }
        batch.names.clone_from(&self.names);
    }
}

fn as_texts(numbers: &[f64]) -> TextColumn {
    let texts: Vec<Option<String>> = numbers
        .iter()
        .map(|n| (!n.is_nan()).then(|| faithful_number(*n)))
        .collect();
    texts.iter().map(Option::as_deref).collect()
}
