//! The source that draws rows from a recipe, a block at a time.

mod block;
mod draw;
mod sampler;

use dataset::{RawBatch, RawColumn, Source, SourceError, TextColumn};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use self::block::Block;
use self::sampler::Sampler;
use crate::recipe::Levels;
use crate::{Recipe, SynthError};

/// Most rows of a block: the unit within which shares are met and vectors are distinct.
const BLOCK_ROWS: u64 = 16_384;
/// Rows of a batch, unless set.
const BATCH_ROWS: usize = 4_096;

/// Draws rows from a recipe: the feature columns in the schema's order, then the target.
///
/// Rows come in blocks of at most 16,384 (as even as can be), each drawn from its own stream of the
/// seed, so that memory is bounded by one block and the rows do not depend on the size of batches.
/// Within a block the class prior is met to a row, and the shares of repeated rows and of vectors
/// under two classes in expectation; across blocks vectors may meet by chance, as they do when more
/// real rows are observed.
pub struct SynthSource {
    sampler: Sampler,
    description: String,
    seed: u64,
    n_rows: u64,
    n_blocks: u64,
    next_block: u64,
    block: Block,
    given_of_block: usize,
    given: u64,
    batch_rows: usize,
}

impl SynthSource {
    /// Makes a source of `n_rows` rows.
    ///
    /// # Errors
    /// [`SynthError::Recipe`] when the recipe contradicts itself.
    pub fn new(recipe: Recipe, n_rows: u64, seed: u64) -> Result<Self, SynthError> {
        recipe.check().map_err(|problem| SynthError::Recipe {
            origin: format!("`{}`", recipe.schema),
            problem,
        })?;
        Ok(Self {
            description: format!("synth://{}?rows={n_rows}&seed={seed}", recipe.schema),
            sampler: Sampler::new(recipe),
            seed,
            n_rows,
            n_blocks: n_rows.div_ceil(BLOCK_ROWS),
            next_block: 0,
            block: Block::default(),
            given_of_block: 0,
            given: 0,
            batch_rows: BATCH_ROWS,
        })
    }

    /// Sets how many rows a batch holds (at least 1); the rows themselves stay the same.
    #[must_use]
    pub fn with_batch_rows(mut self, batch_rows: usize) -> Self {
        self.batch_rows = batch_rows.max(1);
        self
    }

    fn draw_next_block(&mut self) {
        let first_row = |block: u64| {
            let row = u128::from(block) * u128::from(self.n_rows) / u128::from(self.n_blocks);
            row as u64
        };
        let rows = first_row(self.next_block + 1) - first_row(self.next_block);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.next_block);
        self.block = Block::draw(&self.sampler, rows as u32, &mut rng);
        self.given_of_block = 0;
        self.next_block += 1;
    }

    fn batch(&self, rows: &[block::Row]) -> RawBatch {
        let columns = &self.sampler.recipe().columns;
        let mut names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        names.push(self.sampler.recipe().target.clone());
        let target = rows.iter().map(|row| Some(self.sampler.value(row.value)));
        let mut cells: Vec<RawColumn> = (0..columns.len())
            .map(|column| self.cells(column, rows))
            .collect();
        cells.push(RawColumn::Text(target.collect()));
        let first = self.given + 1;
        RawBatch {
            names,
            columns: cells,
            row_numbers: (first..first + rows.len() as u64).collect(),
            defects: Vec::new(),
            ..RawBatch::default()
        }
    }

    fn cells(&self, column: usize, rows: &[block::Row]) -> RawColumn {
        let numbers = rows.iter().map(|row| self.block.cell(row, column));
        match &self.sampler.recipe().columns[column].levels {
            Levels::Numbers { .. } => RawColumn::Number(numbers.collect()),
            Levels::Texts(texts) => {
                // A missing cell is NaN, which no text has as its number.
                let text = |code: f64| (!code.is_nan()).then(|| texts[code as usize].as_str());
                RawColumn::Text(numbers.map(text).collect::<TextColumn>())
            }
        }
    }
}

impl Source for SynthSource {
    fn description(&self) -> &str {
        &self.description
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        if self.given_of_block == self.block.rows().len() {
            if self.next_block == self.n_blocks {
                return Ok(None);
            }
            self.draw_next_block();
        }
        let rows = &self.block.rows()[self.given_of_block..];
        let rows = &rows[..rows.len().min(self.batch_rows)];
        let batch = self.batch(rows);
        self.given_of_block += batch.n_rows();
        self.given += batch.n_rows() as u64;
        Ok(Some(batch))
    }
}

#[cfg(test)]
mod tests;
