//! `--holdout FILE`: another partition, read and validated as the run's own rows were.

use artifact::{Context, ErrorKind, Failure, Run, Stage, Watch};
use dataset::{Schema, SourceUri, ValidatedDataset};
use harness::config::HOLDOUT_VARIABLE;
use holdout::GivenHoldout;
use ingestion::Ingestion;
use registry::{Champion, Registry};
use validation::Validation;

use crate::config::Config;

/// Brings a given partition into the run, so that what follows has one typed input more or less.
///
/// It has no crate and no program of its own, since it is made of two stages.
pub struct AdoptHoldout {
    dataset: Option<ValidatedDataset>,
}

/// Ingests and validates the partition that the configuration names, if it names one, in a directory
/// of its own below the run's, under the schema that the run's rows have resolved.
pub fn given_holdout(
    run: &Run,
    config: &Config,
    resolved: &Schema,
    watch: &Watch<'_>,
) -> Result<AdoptHoldout, Failure> {
    let Some(uri) = &config.holdout else {
        return Ok(AdoptHoldout { dataset: None });
    };
    let dataset = read(run, config, resolved, (uri, watch)).map_err(|e| of_holdout(uri, &e))?;
    Ok(AdoptHoldout {
        dataset: Some(dataset),
    })
}

/// Opens a given partition and reads nothing, so that one that cannot be opened is refused before the
/// run's own rows are read.
pub fn check_holdout(config: &Config, schema: &Schema) -> Result<(), Failure> {
    let Some(uri) = config.holdout.as_ref() else {
        return Ok(());
    };
    if connectors::is_simulated(uri) && !connectors::is_simulated(&config.source) {
        let message = format!(
            "holdout {uri}: it is simulated, and the rows to learn from are not: what a model does on \
             simulated rows says nothing of real ones; give real rows, or leave --holdout out"
        );
        return Err(Failure::new(ErrorKind::Usage, message));
    }
    let opened = connectors::reopen(uri, HOLDOUT_VARIABLE, schema);
    opened.map(drop).map_err(|e| of_holdout(uri, &e))
}

/// Says which of the two sources of a run a failure is about.
fn of_holdout(uri: &SourceUri, failure: &Failure) -> Failure {
    let (text, named) = (failure.to_string(), format!("{uri}: "));
    let text = text.strip_prefix(&named).unwrap_or(&text);
    Failure::new(failure.kind(), format!("holdout {uri}: {text}"))
}

fn read(
    run: &Run,
    config: &Config,
    resolved: &Schema,
    (uri, watch): (&SourceUri, &Watch<'_>),
) -> Result<ValidatedDataset, Failure> {
    let source = connectors::reopen(uri, HOLDOUT_VARIABLE, resolved)?;
    let root = run.directory().join(AdoptHoldout::NAME);
    let sub = Run::create(&root, config, run.seed())?;
    let no_registry = Registry::local(&sub.directory().join("none"));
    let (_, reference) = sub.execute(&Champion::new(no_registry, "none"), (), watch)?;
    let ingestion = Ingestion::new(source, resolved.clone(), config.ingestion.clone());
    let (raw, provenance) = sub.execute(&ingestion, (), watch)?;
    let validation = Validation::new(config.validation.clone()).under(resolved.clone());
    let (validated,) = sub.execute(&validation, (raw, provenance, reference), watch)?;
    Ok(sub.load(validated)?)
}

impl Stage for AdoptHoldout {
    const NAME: &'static str = "given-holdout";
    const ORDER: u8 = 2;
    type Config = ();
    type Inputs = ();
    type Outputs = (GivenHoldout,);
    type Error = registry::RegistryError;

    fn config(&self) -> &() {
        &()
    }

    fn run(&self, (): (), _: &mut Context) -> Result<Self::Outputs, Self::Error> {
        Ok((GivenHoldout {
            dataset: self.dataset.clone(),
        },))
    }
}
