//! Sending a run, so that a kill at any moment leaves what sending it again completes.

use artifact::clock;
use model::ModelBundle;
use onnx::Inputs;
use registry::{Entry, Evaluation, History, Registry, RegistryError};

use crate::{
    TrackingError, flavour,
    record::{File, Record, Registered},
    server::{BUNDLE_TAG, NewRun, Put, RemoteRun, Server},
    spool::Progress,
};

/// A record on its way to a server.
pub(crate) struct Upload<'a> {
    pub server: &'a Server,
    pub registry: &'a Registry,
    pub record: &'a Record,
}

/// The model that a run has registered.
struct Model<'a> {
    name: &'a str,
    /// What was decided of it, and all that was.
    entry: Entry,
    history: History,
    /// Whether it lies on the server as MLflow loads it, and is to be a version there.
    is_loadable: bool,
}

/// Where a run went.
pub(crate) struct Uploaded {
    pub experiment: String,
    pub run: RemoteRun,
}

impl Upload<'_> {
    /// Sends what `progress` does not say was sent. `keep` writes the progress down.
    pub(crate) fn send(
        &self,
        files: Vec<File>,
        progress: &mut Progress,
        keep: &mut dyn FnMut(&Progress),
    ) -> Result<Uploaded, TrackingError> {
        let (server, record) = (self.server, self.record);
        let experiment = server.experiment(&record.experiment)?;
        let run = server.run(&NewRun {
            experiment: &experiment,
            id: &record.id,
            name: &record.name,
            parent: None,
            start: record.start,
            is_absent: false,
        })?;
        progress.continue_on(&server.location(), &run.id);
        if !progress.has("figures") {
            server.log(&run, &record.batch)?;
            server.log_inputs(&run, &record.inputs)?;
            progress.add("figures");
            keep(progress);
        }
        if !progress.has("candidates") {
            self.candidates(&experiment, &run)?;
            progress.add("candidates");
            keep(progress);
        }
        self.files(&run, files, progress)?;
        keep(progress);
        let model = match self.model(&run, progress) {
            // The run is told all the same; what is left is pending.
            Err(left @ (TrackingError::Unaligned { .. } | TrackingError::Moved { .. })) => {
                Err(left)
            }
            model => Ok(model?),
        };
        keep(progress);
        // A run that is finished on the server is all there, whatever becomes of its model in the registry.
        server.finish(&run, record.status, record.end)?;
        if let Some(model) = model? {
            server.if_it_keeps_models(|| self.register(&run, &model))?;
        }
        Ok(Uploaded { experiment, run })
    }

    fn candidates(&self, experiment: &str, parent: &RemoteRun) -> Result<(), TrackingError> {
        let (server, record) = (self.server, self.record);
        if record.candidates.is_empty() {
            return Ok(());
        }
        let there = server.nested(experiment, &parent.id)?;
        for candidate in &record.candidates {
            let id = format!("{}/{}", record.id, candidate.name);
            let found = there.get(&id);
            // Finished last of all, it is all there.
            if found.is_some_and(|run| run.is_finished) {
                continue;
            }
            let made = match found {
                Some(run) => run.clone(),
                None => server.run(&NewRun {
                    experiment,
                    id: &id,
                    name: &candidate.name,
                    parent: Some(&parent.id),
                    start: record.start,
                    is_absent: true,
                })?,
            };
            server.log(&made, &candidate.batch)?;
            server.finish(&made, "FINISHED", record.end)?;
        }
        Ok(())
    }

    /// Puts files that are not there yet, until it is known that the server takes none; returns whether all are there.
    fn files(
        &self,
        run: &RemoteRun,
        files: Vec<File>,
        progress: &mut Progress,
    ) -> Result<bool, TrackingError> {
        let mut are_all_there = true;
        for file in files {
            let part = format!("file {}", file.path);
            if progress.has(&part) {
                continue;
            }
            let path = file.path.clone();
            match self.server.put_artifact(run, &path, &file.bytes()?)? {
                Put::Taken => progress.add(part),
                Put::LeftOut => are_all_there = false,
                Put::NoPlace => return Ok(false),
            }
        }
        Ok(are_all_there)
    }

    /// Puts the model of the run, if it has registered one.
    fn model(
        &self,
        run: &RemoteRun,
        progress: &mut Progress,
    ) -> Result<Option<Model<'_>>, TrackingError> {
        let Some(Registered { name, bundle }) = &self.record.model else {
            return Ok(None);
        };
        let history = self.registry.history(name)?;
        // By an unsigned one somebody would choose which versions are left out here.
        let notes = self.registry.check_notes(name, &history);
        notes.map_err(|error| TrackingError::unaligned(name, error))?;
        let Some(entry) = history.with_bundle(*bundle) else {
            let moved = TrackingError::Moved {
                what: format!("the version of this run, which was registered as `{name}`,"),
                location: self.registry.location(),
            };
            // An export for DVC leaves behind the registry that lay beside the runs.
            if self.record.id == self.record.name {
                return Err(moved);
            }
            self.server
                .remark(format!("the model is not registered: {moved}"));
            return Ok(None);
        };
        let is_loadable = if let Some(note) = history.withdrawal(entry.version) {
            let what = match note.withdraws(entry.version) {
                true => "was withdrawn",
                false => "is one of which no decision counts",
            };
            self.server.remark(format!(
                "`{name}` version {} {what} ({}): it is not registered",
                entry.version,
                note.why.as_deref().unwrap_or_default()
            ));
            false
        } else {
            self.flavour(run, name, entry, progress)?
        };
        Ok(Some(Model {
            name,
            entry: entry.clone(),
            history,
            is_loadable,
        }))
    }

    /// Makes a version of the model of the run, unless it cannot be had as one, and sets the aliases.
    fn register(&self, run: &RemoteRun, model: &Model<'_>) -> Result<(), TrackingError> {
        let Model { name, entry, .. } = model;
        if model.is_loadable {
            self.server.model(name)?;
            let source = format!("{}/{}", run.artifacts, flavour::DIRECTORY);
            let tags = version_tags(entry);
            let digest = entry.bundle.to_string();
            self.server
                .version_of(name, &digest, (&run.id, &source), &tags)?;
        }
        crate::aliases::align(self.server, self.registry, name, &model.history)
    }

    /// Puts the model as MLflow loads it; `false` where there is none, which is remarked.
    fn flavour(
        &self,
        run: &RemoteRun,
        name: &str,
        entry: &Entry,
        progress: &mut Progress,
    ) -> Result<bool, TrackingError> {
        let bundle = match self.registry.bundle(name, entry) {
            // Sending it again changes nothing before somebody has signed it.
            Err(unsigned @ RegistryError::Untrusted { .. }) => {
                self.server
                    .remark(format!("the model is not registered: {unsigned}"));
                return Ok(false);
            }
            bundle => bundle?,
        };
        let evaluation = self.registry.evaluation(name, entry)?;
        match flavoured(&bundle, &evaluation, name, entry, run) {
            Ok((files, notes)) => {
                notes
                    .iter()
                    .for_each(|note| self.server.remark(format!("the model: {note}")));
                let is_there = self.files(run, files, progress)?;
                if !is_there {
                    self.server
                        .remark("the model is not registered: the server has not taken all of it");
                }
                Ok(is_there)
            }
            Err(error) => {
                self.server
                    .remark(format!("the model is not registered: {error}"));
                Ok(false)
            }
        }
    }
}

fn flavoured(
    bundle: &ModelBundle,
    evaluation: &Evaluation,
    name: &str,
    entry: &Entry,
    run: &RemoteRun,
) -> Result<(Vec<File>, Vec<String>), onnx::ExportError> {
    let origin = onnx::Origin {
        model: name.to_owned(),
        version: entry.version,
        bundle: entry.bundle,
    };
    let exported = onnx::export_for(Inputs::Frame, bundle, &origin)?;
    let made = clock::parse(&entry.at).unwrap_or_default();
    let example = &evaluation.canary.table;
    let files = flavour::files(bundle, exported.bytes, &run.id, made, example);
    Ok((files, exported.notes))
}

fn version_tags(entry: &Entry) -> Vec<(String, String)> {
    [
        (BUNDLE_TAG, entry.bundle.to_string()),
        ("netsec.version", entry.version.to_string()),
        ("netsec.run", entry.run.clone()),
        ("netsec.simulated", entry.simulated.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}
