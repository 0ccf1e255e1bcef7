//! What a recipe must satisfy before rows are drawn from it.

use std::collections::BTreeMap;

use super::{Component, Conflicts, Link, Pool, Recipe};

/// Position and number of levels of each column, by name.
type Known<'a> = BTreeMap<&'a str, usize>;

impl Recipe {
    /// Checks what the types cannot say: that names refer to columns, that parents stand before their
    /// children, that every table has its levels.
    ///
    /// # Errors
    /// A sentence with the first problem.
    pub fn check(&self) -> Result<(), String> {
        let mut known = Known::new();
        for column in &self.columns {
            if let Some(problem) = column.problem() {
                return Err(format!("column `{}`: {problem}", column.name));
            }
            if known.insert(&column.name, column.n_levels()).is_some() {
                return Err(format!("column `{}` is named twice", column.name));
            }
        }
        if known.contains_key(self.target.as_str()) {
            return Err(format!("the target `{}` is also a column", self.target));
        }
        if self.n_rows() == 0 {
            return Err("no target value has rows".to_owned());
        }
        let problem = self
            .pools
            .iter()
            .find_map(|pool| pool_problem(pool, &known));
        let problem = problem.or_else(|| conflicts_problem(&self.conflicts, &known));
        problem.map_or(Ok(()), Err)
    }
}

fn pool_problem(pool: &Pool, known: &Known) -> Option<String> {
    let problem = if pool.repeats.n_vectors() == 0 || pool.repeats.least() == Some(0) {
        Some("vectors have at least one row".to_owned())
    } else {
        mixture_problem(&pool.components, known)
    };
    problem.map(|problem| format!("pool `{}`: {problem}", pool.class))
}

fn conflicts_problem(conflicts: &Conflicts, known: &Known) -> Option<String> {
    let problem = match conflicts.repeats.least()? {
        0 | 1 => Some("a vector under two classes has at least two rows".to_owned()),
        _ => mixture_problem(&conflicts.components, known),
    };
    problem.map(|problem| format!("conflicts: {problem}"))
}

fn mixture_problem(components: &[Component], known: &Known) -> Option<String> {
    if components.iter().all(|component| component.rows == 0) {
        return Some("no component has rows".to_owned());
    }
    components
        .iter()
        .find_map(|component| component_problem(component, known))
}

fn component_problem(component: &Component, known: &Known) -> Option<String> {
    let mut before = Known::new();
    for link in &component.links {
        if let Some(problem) = link_problem(link, known, &before) {
            return Some(format!("`{}`: {problem}", link.column));
        }
        before.insert(&link.column, link.marginal.n_levels());
    }
    (before.len() != known.len() || component.links.len() != known.len()).then(|| {
        let (links, columns) = (component.links.len(), known.len());
        format!("{links} links for {columns} columns, one each is needed")
    })
}

fn link_problem(link: &Link, known: &Known, before: &Known) -> Option<String> {
    let Some(&levels) = known.get(link.column.as_str()) else {
        return Some("is not a column".to_owned());
    };
    let tables = link.given.iter().flatten().chain([&link.marginal]);
    if let Some(most) = tables.map(|t| t.n_levels()).max().filter(|&n| n > levels) {
        return Some(format!("weights for {most} of {levels} levels"));
    }
    let expected = match &link.parent {
        None => 0,
        Some(parent) if !before.contains_key(parent.as_str()) => {
            return Some(format!("its parent `{parent}` does not stand before it"));
        }
        Some(parent) => known.get(parent.as_str()).copied().unwrap_or(0),
    };
    (link.given.len() != expected).then(|| {
        format!(
            "{} distributions for {expected} levels of its parent",
            link.given.len()
        )
    })
}
