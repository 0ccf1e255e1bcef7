//! Ingests a file under a schema and says how long each part took: `ingest SCHEMA.yaml FILE [STORE]`.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::{error::Error, path::Path, time::Instant};

use artifact::{clock, codec};
use dataset::Schema;
use formats::{FileFormat, Layout};
use ingestion::{
    FeatureStore, FileStamp, Freshness, IngestionConfig, SnapshotKey, SnapshotOrigin, ingest,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [schema_path, path, rest @ ..] = arguments.as_slice() else {
        return Err("usage: ingest SCHEMA.yaml FILE [STORE]".into());
    };
    let schema = Schema::parse(&std::fs::read_to_string(schema_path)?, schema_path)?;
    let layout = Layout::of(&schema.file, schema.file_columns());
    let format = FileFormat::of_path(Path::new(path), &layout)?;
    let config = IngestionConfig::default();

    let clock = Instant::now();
    let mut source = formats::open(Path::new(path), &format)?;
    let (raw, provenance) = ingest(source.as_mut(), schema.clone(), &config, &|_, _, _| {})?;
    let seconds = clock.elapsed().as_secs_f64();
    let rate = raw.n_rows as f64 / seconds;
    println!(
        "ingested {} rows in {seconds:.3} s: {rate:.0} rows/s",
        raw.n_rows
    );

    if let [store] = rest {
        let store = FeatureStore::open(Path::new(store))?;
        let key = SnapshotKey::new(path, None, &schema, &config);
        let clock = Instant::now();
        let file = Some(FileStamp::of(Path::new(path))?);
        let read_at = clock::now();
        store.save(&key, &raw, &provenance, SnapshotOrigin { read_at, file })?;
        println!("saved in {:.3} s", clock.elapsed().as_secs_f64());
        let clock = Instant::now();
        let fresh = Freshness::File(Path::new(path));
        let found = store.lookup(&key, &schema, fresh).ok_or("no snapshot")?;
        println!("looked up in {:.3} s", clock.elapsed().as_secs_f64());
        let same = codec::encode(&found.raw)? == codec::encode(&raw)?;
        println!("identical: {same}");
    }
    Ok(())
}
