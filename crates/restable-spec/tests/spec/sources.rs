//! A directory as a source: what it lists, what it reads, what it refuses.

use std::sync::Arc;

use restable_spec::{Directory, Registry, SourceError, SpecSource};

#[test]
fn a_directory_is_a_tree_of_documents() {
    let tree = tempfile::tempdir().unwrap();
    let write = |path: &str, bytes: &[u8]| {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let provider = |title: &str| {
        format!(
            "name: p\ntitle: {title}\nproviderServices: {{s: {{service: {{$ref: p/v2/services/s.yaml}}}}}}\n"
        )
    };
    write(
        "p/v1/provider.yaml",
        b"name: p\nproviderServices: {s: {service: {$ref: p/v1/services/s.yaml}}}\n",
    );
    write("p/v1/services/s.yaml", b"info: {title: one}\n");
    write("p/v2/provider.yaml", provider("Two").as_bytes());
    write("p/v2/services/s.yaml", b"info: {title: two}\n");
    write("p/v2/services/latin.yaml", b"title: \xe9\n");
    write("p/notes/README.md", b"no provider");
    write("README.md", b"no provider");

    let source = Directory::new(tree.path());
    assert_eq!(
        source.documents().unwrap(),
        ["p/v1/provider.yaml", "p/v2/provider.yaml"]
    );
    assert_eq!(
        source.read("p/v2/services/s.yaml").unwrap(),
        "info: {title: two}\n"
    );
    assert_eq!(source.read("p/v3/provider.yaml"), Err(SourceError::Absent));
    assert_eq!(
        source.read("p/v2/services/latin.yaml"),
        Err(SourceError::NotText)
    );
    for outside in [
        "../x",
        "p/../../x",
        "/etc/passwd",
        "p//v1",
        "",
        "p\\v1",
        "c:/x",
    ] {
        assert_eq!(source.read(outside), Err(SourceError::Outside), "{outside}");
        assert!(!source.contains(outside));
    }

    // The later version wins, service by service.
    let registry = Registry::open(vec![Arc::new(source)]).unwrap();
    let service = registry
        .provider("p")
        .unwrap()
        .service("s")
        .unwrap()
        .unwrap();
    assert_eq!(service.title.as_deref(), Some("two"));
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let tree = tempfile::tempdir().unwrap();
    let refused = |path: &str| {
        let source: Arc<dyn SpecSource> = Arc::new(Directory::new(tree.path().join(path)));
        let error = Registry::open(vec![source]).unwrap_err().to_string();
        error.replace(tree.path().to_str().unwrap(), "TREE")
    };
    insta::assert_snapshot!(refused("gone"), @"cannot read `TREE/gone`: there is no such file");
    std::fs::create_dir_all(tree.path().join("empty/azure")).unwrap();
    insta::assert_snapshot!(refused("empty"), @"`TREE/empty`: there is no `<provider>/<version>/provider.yaml` in it");
    std::fs::create_dir_all(tree.path().join("bad/p/v1")).unwrap();
    std::fs::write(tree.path().join("bad/p/v1/provider.yaml"), "").unwrap();
    insta::assert_snapshot!(refused("bad"), @"`TREE/bad/p/v1/provider.yaml`: the document is empty");
}
