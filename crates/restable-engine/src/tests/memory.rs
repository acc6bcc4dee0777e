//! The memory of walks: what is kept, for whom, and what a file that cannot be used does.

use super::*;

fn scope(pairs: &[(&str, &str)]) -> Scope {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), Arc::from(*value)))
        .collect()
}

fn vaults(names: &[&str]) -> Named {
    Named {
        columns: vec!["vaultname".to_owned()],
        rows: names
            .iter()
            .map(|name| vec![Some((*name).to_owned())])
            .collect(),
    }
}

const LIST: &str = "s.vaults.list";

fn at(directory: &Path, estate: &str) -> Memory {
    Memory::new(MemoryPlace {
        directory: Some(directory.to_owned()),
        estates: [("p".to_owned(), estate.to_owned())].into(),
    })
}

#[test]
fn outlives_the_process_and_never_mixes_estates() {
    let place = std::env::temp_dir().join(format!("restable-memory-{}", std::process::id()));
    let one = scope(&[("subscriptionid", "S-1")]);
    at(&place, "one").keep(
        "p",
        None,
        vec![(
            LIST.to_owned(),
            Seen::now(&one, 2, 3, Some(vaults(&["a", "b", "c"]))),
        )],
    );
    let found = at(&place, "one").recall("p", None);
    let seen = found
        .exact(LIST, &scope(&[("subscriptionid", "s-1")]))
        .unwrap();
    assert_eq!(
        (seen.pages, seen.rows, seen.names.as_ref().unwrap().len()),
        (2, 3, 3)
    );
    assert_eq!(
        *at(&place, "two").recall("p", None),
        Lists {
            form: FORM,
            estate: "p two".to_owned(),
            ..Lists::default()
        }
    );
    assert!(Memory::default().recall("p", None).lists.is_empty());

    // Two processes: neither loses what the other one read.
    let (first, second) = (at(&place, "one"), at(&place, "one"));
    first.recall("p", None);
    second.recall("p", None);
    for (memory, name) in [(&first, "x"), (&second, "y")] {
        let of = scope(&[("subscriptionid", name)]);
        memory.keep(
            "p",
            None,
            vec![(LIST.to_owned(), Seen::now(&of, 1, 0, None))],
        );
    }
    let found = at(&place, "one").recall("p", None);
    assert_eq!(found.lists[LIST].len(), 3);

    // A file that is no file of ours is as good as none, and is replaced.
    let file = at(&place, "one").path("p", None).unwrap();
    for text in [
        "",
        "{",
        "[]",
        r#"{"form":99,"estate":"p one","lists":{}}"#,
        r#"{"form":1,"estate":"p two","lists":{}}"#,
    ] {
        std::fs::write(&file, text).unwrap();
        assert!(
            at(&place, "one").recall("p", None).lists.is_empty(),
            "{text}"
        );
    }
    at(&place, "one").keep(
        "p",
        None,
        vec![(LIST.to_owned(), Seen::now(&one, 1, 1, None))],
    );
    assert_eq!(at(&place, "one").recall("p", None).lists[LIST].len(), 1);

    // Where it cannot be written it is kept all the same.
    let blocked = at(&file.join("below-a-file"), "one");
    blocked.keep(
        "p",
        None,
        vec![(LIST.to_owned(), Seen::now(&one, 1, 1, None))],
    );
    assert_eq!(blocked.recall("p", None).lists[LIST].len(), 1);
    std::fs::remove_dir_all(&place).unwrap();
}

#[test]
fn a_wider_list_holds_the_rows_of_a_narrower_one() {
    let mut lists = Lists::default();
    let wide = Seen::now(&scope(&[("subscriptionid", "s")]), 4, 700, None);
    lists.put(LIST.to_owned(), wide.clone());
    lists.put(
        "s.vaultsmore.list".to_owned(),
        Seen::now(&scope(&[]), 1, 1, None),
    );
    let narrow = scope(&[("resourcegroupname", "g"), ("subscriptionid", "S")]);
    assert_eq!(lists.wider("s", "vaults", &narrow, |_| true), Some(&wide));
    assert_eq!(
        lists.wider("s", "vaults", &scope(&[("subscriptionid", "t")]), |_| true),
        None
    );
    assert_eq!(
        lists.wider("s", "vaults", &scope(&[("resourcegroupname", "g")]), |_| {
            true
        }),
        None
    );
    assert_eq!(lists.wider("s", "vaul", &narrow, |_| true), None);
    assert_eq!(lists.exact(LIST, &narrow), None);
}

#[test]
fn names_outlast_a_read_that_took_none() {
    let mut lists = Lists::default();
    let of = scope(&[("subscriptionid", "s")]);
    assert!(lists.put(
        LIST.to_owned(),
        Seen::now(&of, 1, 2, Some(vaults(&["a", "b"])))
    ));
    assert!(!lists.put(LIST.to_owned(), Seen::now(&of, 1, 2, None)));
    assert!(lists.exact(LIST, &of).unwrap().names.is_some());
    assert!(lists.put(LIST.to_owned(), Seen::now(&of, 1, 3, None)));
    assert!(lists.exact(LIST, &of).unwrap().names.is_none());
    let long = vaults(&vec!["v"; ROWS + 1]);
    lists.put(LIST.to_owned(), Seen::now(&of, 60, 10_001, Some(long)));
    let seen = lists.exact(LIST, &of).unwrap();
    assert_eq!((seen.rows, &seen.names), (10_001, &None));
}

#[test]
fn what_is_old_or_too_much_is_forgotten() {
    let mut lists = Lists::default();
    let mut old = Seen::now(&scope(&[]), 1, 1, None);
    old.at -= OLD + 10;
    lists.put(LIST.to_owned(), old);
    lists.put("s.t.list".to_owned(), Seen::now(&scope(&[]), 1, 1, None));
    lists.tidy();
    assert_eq!(lists.lists.keys().collect::<Vec<_>>(), ["s.t.list"]);
}
