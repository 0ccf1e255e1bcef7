use super::*;

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_written_anew_and_leaves_no_other_beside_it() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x.bin");
    for content in ["first", "second"] {
        write_atomic(&path, content.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    assert_eq!(names(place.path()), ["x.bin"]);
}

#[test]
fn of_two_writers_of_a_new_file_one_is_told_that_it_was() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x.bin");
    assert!(write_new(&path, b"first").unwrap());
    assert!(!write_new(&path, b"second").unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(names(place.path()), ["x.bin"]);
}

#[test]
fn of_many_writers_at_once_one_alone_is_told_so() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x.bin");
    let winners: Vec<u8> = std::thread::scope(|scope| {
        let start = |n: u8| {
            let path = &path;
            scope.spawn(move || write_new(path, &[n]).unwrap().then_some(n))
        };
        let writers: Vec<_> = (0..16).map(start).collect();
        writers
            .into_iter()
            .filter_map(|w| w.join().unwrap())
            .collect()
    });
    assert_eq!(fs::read(&path).unwrap(), winners);
}

#[test]
fn a_temporary_file_of_another_process_with_the_same_number_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x.bin");
    let others = format!(".x.bin.{}-0.tmp", std::process::id());
    fs::write(place.path().join(&others), "half").unwrap();
    write_atomic(&path, b"mine").unwrap();
    assert!(write_new(&place.path().join("y.bin"), b"mine").unwrap());
    assert_eq!(
        fs::read_to_string(place.path().join(others)).unwrap(),
        "half"
    );
    assert_eq!(fs::read(path).unwrap(), b"mine");
}

#[test]
fn a_failed_write_names_the_file_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x.bin");
    fs::create_dir(&path).unwrap();
    let error = write_atomic(&path, b"content").unwrap_err();
    assert!(error.to_string().contains("x.bin"), "{error}");
    assert_eq!(names(place.path()), ["x.bin"]);
}

#[test]
fn directories_are_made_with_those_above_them_and_again_without_harm() {
    let place = tempfile::tempdir().unwrap();
    let deep = place.path().join("a/b/c");
    create_directory(&deep).unwrap();
    create_directory(&deep).unwrap();
    assert!(deep.is_dir());
    fs::write(place.path().join("file"), "").unwrap();
    assert!(create_directory(&place.path().join("file/inside")).is_err());
}

#[test]
fn a_huge_file_that_is_no_artifact_is_refused_by_its_head() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x.bin");
    let file = File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    let foreign = read_artifact(&path).unwrap_err();
    assert!(foreign.to_string().contains("not an artifact"), "{foreign}");
    (&file).write_all(b"NETSECAF\x01\x00\x01x").unwrap();
    (&file).write_all(&(1u64 << 20).to_le_bytes()).unwrap();
    let trailing = read_artifact(&path).unwrap_err();
    assert!(trailing.to_string().contains("follow"), "{trailing}");
}

#[test]
fn what_can_be_done_about_an_error_is_said_after_it() {
    let error = StoreError::io("write", Path::new("x"))(io::ErrorKind::StorageFull.into());
    assert!(error.to_string().contains("free some space"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for() {
    let place = tempfile::tempdir().unwrap();
    let pipe = place.path().join("lock");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for refused in [
        open_lock(&pipe).unwrap_err().to_string(),
        open_file(&pipe).unwrap_err().to_string(),
        read_file(&pipe, 10).unwrap_err().to_string(),
        read_artifact(&pipe).unwrap_err().to_string(),
    ] {
        assert!(refused.contains("it is no file"), "{refused}");
    }
    fs::remove_file(&pipe).unwrap();
    open_lock(&pipe).unwrap().lock().unwrap();
    assert_eq!(read_file(&pipe, 10).unwrap(), b"");
}
