//! A recipe with its names resolved, ready to draw vectors of one pool.

use rand_chacha::ChaCha8Rng;

use super::draw;
use crate::Recipe;
use crate::recipe::{Component, Interval, Levels, Link};

/// A numeric interval wider than this ratio is drawn from on a logarithmic scale.
const LOG_SCALE_FROM: f64 = 16.0;

/// Draws vectors; made of a checked recipe.
pub(super) struct Sampler {
    recipe: Recipe,
    /// Pool of each target value.
    pools_of_values: Vec<usize>,
    /// Columns of the links of the components of each pool and, last, of the
    /// vectors under several classes.
    columns_of_links: Vec<Vec<LinkColumns>>,
}

/// Column and parent of each link of a component.
type LinkColumns = Vec<(usize, usize)>;

/// Which mixture of a recipe vectors are drawn from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mixture {
    /// That of the pool of this index.
    Pool(usize),
    /// That of vectors under several classes.
    Conflicts,
}

impl Sampler {
    /// Makes a sampler of a recipe that has passed [`Recipe::check`].
    pub(super) fn new(recipe: Recipe) -> Self {
        let position = |name: &str| {
            let found = recipe.columns.iter().position(|c| c.name == name);
            found.expect("the recipe's check has found every column")
        };
        // The root's parent is itself: it has no conditional distributions to look up.
        let resolve = |link: &Link| {
            let column = position(&link.column);
            (column, link.parent.as_deref().map_or(column, position))
        };
        let of_component = |c: &Component| c.links.iter().map(resolve).collect();
        let columns_of_links = recipe
            .mixtures()
            .map(|components| components.iter().map(of_component).collect())
            .collect();
        Self {
            pools_of_values: recipe.values().map(|(pool, _, _)| pool).collect(),
            columns_of_links,
            recipe,
        }
    }

    /// Returns the recipe.
    pub(super) fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Returns the text of a target value.
    pub(super) fn value(&self, value: u16) -> &str {
        let mut values = self.recipe.values();
        values
            .nth(usize::from(value))
            .map_or("", |(_, text, _)| text)
    }

    /// Returns the pool of a target value.
    pub(super) fn pool_of(&self, value: usize) -> usize {
        self.pools_of_values[value]
    }

    /// Returns the class of a target value.
    pub(super) fn class_of(&self, value: usize) -> &str {
        &self.recipe.pools[self.pools_of_values[value]].class
    }

    /// Draws the level of each column.
    pub(super) fn draw_levels(&self, mixture: Mixture, rng: &mut ChaCha8Rng) -> Vec<u16> {
        let (components, columns) = self.components(mixture);
        let rows = components.iter().map(|c| u64::from(c.rows));
        let component = draw::index(rows, rng).unwrap_or(0);
        let mut levels = vec![0; self.recipe.columns.len()];
        let links = components[component].links.iter();
        for (link, &(column, parent)) in links.zip(&columns[component]) {
            let weights = weights_given(link, levels[parent]);
            let ticket = draw::below(u64::from(weights.total()), rng);
            levels[column] = weights.pick(ticket as u32) as u16;
        }
        levels
    }

    /// Returns the probability of these levels.
    pub(super) fn probability(&self, mixture: Mixture, levels: &[u16]) -> f64 {
        let (components, columns) = self.components(mixture);
        let rows: f64 = components.iter().map(|c| f64::from(c.rows)).sum();
        let share = |(link, &(column, parent)): (&Link, &(usize, usize))| {
            weights_given(link, levels[parent]).share(usize::from(levels[column]))
        };
        let of_component = |(component, columns): (&Component, &LinkColumns)| {
            let shares = component.links.iter().zip(columns).map(share);
            f64::from(component.rows) / rows * shares.product::<f64>()
        };
        components.iter().zip(columns).map(of_component).sum()
    }

    /// Draws the cell of each level: the number, the position of the text, NaN when missing.
    pub(super) fn draw_cells(&self, levels: &[u16], rng: &mut ChaCha8Rng) -> Vec<f64> {
        let columns = self.recipe.columns.iter().zip(levels);
        columns
            .map(|(column, &level)| match &column.levels {
                Levels::Texts(texts) if usize::from(level) < texts.len() => f64::from(level),
                Levels::Numbers {
                    intervals,
                    decimals,
                } if usize::from(level) < intervals.len() => {
                    draw_number(intervals[usize::from(level)], *decimals, rng)
                }
                _ => f64::NAN,
            })
            .collect()
    }

    fn components(&self, mixture: Mixture) -> (&[Component], &[LinkColumns]) {
        let (components, index) = match mixture {
            Mixture::Pool(pool) => (&self.recipe.pools[pool].components, pool),
            Mixture::Conflicts => (&self.recipe.conflicts.components, self.recipe.pools.len()),
        };
        (components, &self.columns_of_links[index])
    }
}

fn weights_given(link: &Link, parent_level: u16) -> &crate::Weights {
    let given = link.given.get(usize::from(parent_level));
    given.and_then(Option::as_ref).unwrap_or(&link.marginal)
}

fn draw_number(interval: Interval, decimals: u8, rng: &mut ChaCha8Rng) -> f64 {
    let Interval { low, high } = interval;
    if low == high {
        return low;
    }
    let unit = draw::unit(rng);
    let drawn = if low > 0.0 && high / low > LOG_SCALE_FROM {
        low * (unit * (high / low).ln()).exp()
    } else {
        low + unit * (high - low)
    };
    let scale = 10_f64.powi(i32::from(decimals));
    // The sum with zero turns -0.0 into 0.0.
    ((drawn * scale).round() / scale).clamp(low, high) + 0.0
}
