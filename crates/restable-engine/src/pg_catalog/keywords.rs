//! The words of SQL as PostgreSQL 16 counts them: which of them can be names without quotes, and which can name a column without AS.

/// Names of anything.
const UNRESERVED: &str = "\
    abort absent absolute access action add admin after aggregate also alter always asensitive assertion assignment \
    at atomic attach attribute backward before begin breadth by cache call called cascade cascaded catalog chain \
    characteristics checkpoint class close cluster columns comment comments commit committed compression \
    configuration conflict connection constraints content continue conversion copy cost csv cube current cursor \
    cycle data database day deallocate declare defaults deferred definer delete delimiter delimiters depends depth \
    detach dictionary disable discard document domain double drop each enable encoding encrypted enum escape event \
    exclude excluding exclusive execute explain expression extension external family filter finalize first following \
    force format forward function functions generated global granted groups handler header hold hour identity if \
    immediate immutable implicit import include including increment indent index indexes inherit inherits inline \
    input insensitive insert instead invoker isolation json key keys label language large last leakproof level \
    listen load local location lock locked logged mapping match matched materialized maxvalue merge method minute \
    minvalue mode month move name names new next nfc nfd nfkc nfkd no normalized nothing notify nowait nulls object \
    of off oids old operator option options ordinality others over overriding owned owner parallel parameter parser \
    partial partition passing password plans policy preceding prepare prepared preserve prior privileges procedural \
    procedure procedures program publication quote range read reassign recheck recursive ref referencing refresh \
    reindex relative release rename repeatable replace replica reset restart restrict return returns revoke role \
    rollback rollup routine routines rows rule savepoint scalar schema schemas scroll search second security \
    sequence sequences serializable server session set sets share show simple skip snapshot sql stable standalone \
    start statement statistics stdin stdout storage stored strict strip subscription support sysid system tables \
    tablespace temp template temporary text ties transaction transform trigger truncate trusted type types uescape \
    unbounded uncommitted unencrypted unknown unlisten unlogged until update vacuum valid validate validator value \
    varying version view views volatile whitespace within without work wrapper write xml year yes zone";
/// Names of columns and tables, but not of functions and types.
const COLUMNS: &str = "\
    between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int \
    integer interval json_array json_arrayagg json_object json_objectagg least national nchar none normalize nullif \
    numeric out overlay position precision real row setof smallint substring time timestamp treat trim values \
    varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize \
    xmltable";
/// Names of functions and types, but not of columns and tables.
const FUNCTIONS: &str = "\
    authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join left \
    like natural notnull outer overlaps right similar tablesample verbose";
/// Names of nothing.
const RESERVED: &str = "\
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create \
    current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc \
    distinct do else end except false fetch for foreign from grant group having in initially intersect into lateral \
    leading limit localtime localtimestamp not null offset on only or order placing primary references returning \
    select session_user some symmetric system_user table then to trailing true union unique user using variadic when \
    where window with";
/// Those of them all before which a column needs AS.
const NEED_AS: &str = "\
    array as char character create day except fetch filter for from grant group having hour intersect into isnull \
    limit minute month notnull offset on order over overlaps precision returning second to union varying where \
    window with within without year";

/// A word of the language.
pub struct Word {
    /// In lower case.
    pub word: &'static str,
    /// PostgreSQL's letter for what it can name.
    pub category: &'static str,
    /// What that letter means.
    pub meaning: &'static str,
    /// Whether a column is named by it without AS.
    pub bare: bool,
}

/// The words.
pub fn all() -> impl Iterator<Item = Word> {
    let kinds = [
        (UNRESERVED, "U", "unreserved"),
        (COLUMNS, "C", "unreserved (cannot be function or type name)"),
        (FUNCTIONS, "T", "reserved (can be function or type name)"),
        (RESERVED, "R", "reserved"),
    ];
    kinds.into_iter().flat_map(|(words, category, meaning)| {
        words.split_whitespace().map(move |word| Word {
            word,
            category,
            meaning,
            bare: !NEED_AS.split_whitespace().any(|other| other == word),
        })
    })
}

/// Whether PostgreSQL writes a name with quotes for being this word.
pub fn is_quoted(name: &str) -> bool {
    let mut words = [COLUMNS, FUNCTIONS, RESERVED].into_iter();
    words.any(|words| words.split_whitespace().any(|word| word == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_postgresql_16() {
        let of = |word: &str| all().find(|one| one.word == word);
        assert_eq!(all().count(), 471);
        let category = |word| of(word).map(|one| one.category);
        assert_eq!(category("select"), Some("R"));
        assert_eq!(category("system_user"), Some("R"));
        assert_eq!(category("values"), Some("C"));
        assert_eq!(category("left"), Some("T"));
        assert_eq!(category("keys"), Some("U"));
        assert!(of("resource").is_none());
        assert!(of("year").is_some_and(|word| !word.bare));
        assert!(is_quoted("table") && !is_quoted("name") && !is_quoted("resource"));
    }
}
