//! The tables of `pg_catalog`: their columns as PostgreSQL 16 has them, as far as clients read them. A table without rows
//! here stands for something that restable has not, such as a trigger.

/// A table: its name, its columns with their types.
pub struct Layout {
    /// The name.
    pub name: &'static str,
    /// `name type` with commas between.
    pub columns: &'static str,
}

const fn table(name: &'static str, columns: &'static str) -> Layout {
    Layout { name, columns }
}

/// Tables that hold rows; `rows.rs` fills them.
pub const FILLED: &[Layout] = &[
    table(
        "pg_namespace",
        "oid oid, nspname text, nspowner oid, nspacl text[]",
    ),
    table(
        "pg_class",
        "oid oid, relname text, relnamespace oid, reltype oid, reloftype oid, relowner oid, relam oid, relfilenode oid, \
         reltablespace oid, relpages int4, reltuples float4, relallvisible int4, reltoastrelid oid, relhasindex bool, \
         relisshared bool, relpersistence text, relkind text, relnatts int2, relchecks int2, relhasrules bool, \
         relhastriggers bool, relhassubclass bool, relrowsecurity bool, relforcerowsecurity bool, relispopulated bool, \
         relreplident text, relispartition bool, relrewrite oid, relfrozenxid oid, relminmxid oid, relacl text[], reloptions text[], relpartbound text",
    ),
    table(
        "pg_attribute",
        "attrelid oid, attname text, atttypid oid, attlen int2, attnum int2, attcacheoff int4, atttypmod int4, attndims int2, \
         attbyval bool, attalign text, attstorage text, attcompression text, attnotnull bool, atthasdef bool, atthasmissing bool, \
         attidentity text, attgenerated text, attisdropped bool, attislocal bool, attinhcount int2, attstattarget int2, \
         attcollation oid, attacl text[], attoptions text[], attfdwoptions text[]",
    ),
    table(
        "pg_type",
        "oid oid, typname text, typnamespace oid, typowner oid, typlen int2, typbyval bool, typtype text, typcategory text, \
         typispreferred bool, typisdefined bool, typdelim text, typrelid oid, typsubscript regproc, typelem oid, typarray oid, \
         typinput regproc, typoutput regproc, typreceive regproc, typsend regproc, typmodin regproc, typmodout regproc, typanalyze regproc, typalign text, \
         typstorage text, typnotnull bool, typbasetype oid, typtypmod int4, typndims int4, typcollation oid, typdefault text, \
         typacl text[]",
    ),
    table(
        "pg_proc",
        "oid oid, proname text, pronamespace oid, proowner oid, prolang oid, procost float4, prorows float4, provariadic oid, \
         prosupport regproc, prokind text, prosecdef bool, proleakproof bool, proisstrict bool, proretset bool, provolatile text, \
         proparallel text, pronargs int2, pronargdefaults int2, prorettype oid, proargtypes oidvector, proallargtypes oid[], \
         proargmodes text[], proargnames text[], proargdefaults text, protrftypes oid[], prosrc text, probin text, prosqlbody text, proconfig text[], proacl text[]",
    ),
    table(
        "pg_database",
        "oid oid, datname text, datdba oid, encoding int4, datlocprovider text, datistemplate bool, datallowconn bool, \
         datconnlimit int4, datfrozenxid oid, datminmxid oid, dattablespace oid, datcollate text, datctype text, daticulocale text, daticurules text, \
         datcollversion text, datacl text[]",
    ),
    table(
        "pg_roles",
        "oid oid, rolname text, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool, rolcanlogin bool, \
         rolreplication bool, rolconnlimit int4, rolpassword text, rolvaliduntil timestamptz, rolbypassrls bool, \
         rolconfig text[]",
    ),
    table(
        "pg_user",
        "usename text, usesysid oid, usecreatedb bool, usesuper bool, userepl bool, usebypassrls bool, passwd text, \
         valuntil timestamptz, useconfig text[]",
    ),
    table(
        "pg_settings",
        "name text, setting text, unit text, category text, short_desc text, extra_desc text, context text, vartype text, source text, min_val text, max_val text, enumvals text[], boot_val text, reset_val text, sourcefile text, sourceline int4, pending_restart bool",
    ),
    table(
        "pg_description",
        "objoid oid, classoid oid, objsubid int4, description text",
    ),
    table(
        "pg_tablespace",
        "oid oid, spcname text, spcowner oid, spcacl text[], spcoptions text[]",
    ),
    table(
        "pg_am",
        "oid oid, amname text, amhandler regproc, amtype text",
    ),
    table(
        "pg_language",
        "oid oid, lanname text, lanowner oid, lanispl bool, lanpltrusted bool, lanplcallfoid oid, laninline oid, lanvalidator oid, lanacl text[]",
    ),
    table(
        "pg_tables",
        "schemaname text, tablename text, tableowner text, tablespace text, hasindexes bool, hasrules bool, hastriggers bool, rowsecurity bool",
    ),
    table(
        "pg_views",
        "schemaname text, viewname text, viewowner text, definition text",
    ),
    table(
        "pg_matviews",
        "schemaname text, matviewname text, matviewowner text, tablespace text, hasindexes bool, ispopulated bool, definition text",
    ),
    table(
        "pg_range",
        "rngtypid oid, rngsubtype oid, rngmultitypid oid, rngcollation oid, rngsubopc oid, rngcanonical regproc, rngsubdiff regproc",
    ),
    table(
        "pg_shadow",
        "usename text, usesysid oid, usecreatedb bool, usesuper bool, userepl bool, usebypassrls bool, passwd text, valuntil timestamptz, useconfig text[]",
    ),
    table(
        "pg_timezone_names",
        "name text, abbrev text, utc_offset text, is_dst bool",
    ),
    table(
        "pg_stat_ssl",
        "pid int4, ssl bool, version text, cipher text, bits int4, client_dn text, client_serial text, issuer_dn text",
    ),
    table(
        "pg_stat_activity",
        "datid oid, datname text, pid int4, leader_pid int4, usesysid oid, usename text, application_name text, client_addr text, client_hostname text, client_port int4, backend_start timestamptz, xact_start timestamptz, query_start timestamptz, state_change timestamptz, wait_event_type text, wait_event text, state text, backend_xid oid, backend_xmin oid, query_id int8, query text, backend_type text",
    ),
    table(
        "pg_timezone_abbrevs",
        "abbrev text, utc_offset text, is_dst bool",
    ),
    table(
        "pg_get_keywords",
        "word text, catcode text, barelabel bool, catdesc text, baredesc text",
    ),
    table(
        "pg_cast",
        "oid oid, castsource oid, casttarget oid, castfunc oid, castcontext text, castmethod text",
    ),
    table(
        "pg_collation",
        "oid oid, collname text, collnamespace oid, collowner oid, collprovider text, collisdeterministic bool, collencoding int4, collcollate text, collctype text, colliculocale text, collicurules text, collversion text",
    ),
    table(
        "pg_operator",
        "oid oid, oprname text, oprnamespace oid, oprowner oid, oprkind text, oprcanmerge bool, oprcanhash bool, oprleft oid, oprright oid, oprresult oid, oprcom oid, oprnegate oid, oprcode regproc, oprrest regproc, oprjoin regproc",
    ),
    table(
        "pg_cursors",
        "name text, statement text, is_holdable bool, is_binary bool, is_scrollable bool, creation_time timestamptz",
    ),
    table(
        "pg_prepared_statements",
        "name text, statement text, prepare_time timestamptz, parameter_types text[], result_types text[], from_sql bool, generic_plans int8, custom_plans int8",
    ),
    table(
        "pg_index",
        "indexrelid oid, indrelid oid, indnatts int2, indnkeyatts int2, indisunique bool, indnullsnotdistinct bool, indisprimary bool, \
         indisexclusion bool, indimmediate bool, indisclustered bool, indisvalid bool, indcheckxmin bool, indisready bool, indislive bool, \
         indisreplident bool, indkey int2vector, indcollation oidvector, indclass oidvector, indoption int2vector, indexprs text, indpred text",
    ),
    table(
        "pg_indexes",
        "schemaname text, tablename text, indexname text, tablespace text, indexdef text",
    ),
    table(
        "pg_constraint",
        "oid oid, conname text, connamespace oid, contype text, condeferrable bool, condeferred bool, convalidated bool, conrelid oid, contypid oid, conindid oid, conparentid oid, confrelid oid, confupdtype text, confdeltype text, confmatchtype text, conislocal bool, coninhcount int2, connoinherit bool, conkey int2[], confkey int2[], conpfeqop oid[], conppeqop oid[], conffeqop oid[], confdelsetcols int2[], conexclop oid[], conbin text",
    ),
    table(
        "pg_depend",
        "classid oid, objid oid, objsubid int4, refclassid oid, refobjid oid, refobjsubid int4, deptype text",
    ),
    table(
        "pg_opclass",
        "oid oid, opcmethod oid, opcname text, opcnamespace oid, opcowner oid, opcfamily oid, opcintype oid, opcdefault bool, opckeytype oid",
    ),
    table(
        "pg_opfamily",
        "oid oid, opfmethod oid, opfname text, opfnamespace oid, opfowner oid",
    ),
    table(
        "pg_rewrite",
        "oid oid, rulename text, ev_class oid, ev_type text, ev_enabled text, is_instead bool, ev_qual text, ev_action text",
    ),
    table(
        "pg_authid",
        "oid oid, rolname text, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool, rolcanlogin bool, \
         rolreplication bool, rolbypassrls bool, rolconnlimit int4, rolpassword text, rolvaliduntil timestamptz",
    ),
];

/// Tables that never hold a row.
pub const EMPTY: &[Layout] = &[
    table(
        "pg_aggregate",
        "aggfnoid regproc, aggkind text, aggnumdirectargs int2, aggtransfn regproc, aggfinalfn regproc, aggcombinefn regproc, aggserialfn regproc, aggdeserialfn regproc, aggmtransfn regproc, aggminvtransfn regproc, aggmfinalfn regproc, aggfinalextra bool, aggmfinalextra bool, aggfinalmodify text, aggmfinalmodify text, aggsortop oid, aggtranstype oid, aggtransspace int4, aggmtranstype oid, aggmtransspace int4, agginitval text, aggminitval text",
    ),
    table("pg_attrdef", "oid oid, adrelid oid, adnum int2, adbin text"),
    table(
        "pg_auth_members",
        "oid oid, roleid oid, member oid, grantor oid, admin_option bool, inherit_option bool, set_option bool",
    ),
    table(
        "pg_available_extensions",
        "name text, default_version text, installed_version text, comment text",
    ),
    table(
        "pg_conversion",
        "oid oid, conname text, connamespace oid, conowner oid, conforencoding int4, contoencoding int4, conproc regproc, condefault bool",
    ),
    table(
        "pg_default_acl",
        "oid oid, defaclrole oid, defaclnamespace oid, defaclobjtype text, defaclacl text[]",
    ),
    table(
        "pg_enum",
        "oid oid, enumtypid oid, enumsortorder float4, enumlabel text",
    ),
    table(
        "pg_event_trigger",
        "oid oid, evtname text, evtevent text, evtowner oid, evtfoid oid, evtenabled text, evttags text[]",
    ),
    table(
        "pg_extension",
        "oid oid, extname text, extowner oid, extnamespace oid, extrelocatable bool, extversion text, extconfig oid[]",
    ),
    table(
        "pg_foreign_data_wrapper",
        "oid oid, fdwname text, fdwowner oid, fdwhandler oid, fdwvalidator oid, fdwacl text[], fdwoptions text[]",
    ),
    table(
        "pg_foreign_server",
        "oid oid, srvname text, srvowner oid, srvfdw oid, srvtype text, srvversion text, srvacl text[], srvoptions text[]",
    ),
    table(
        "pg_foreign_table",
        "ftrelid oid, ftserver oid, ftoptions text[]",
    ),
    table(
        "pg_inherits",
        "inhrelid oid, inhparent oid, inhseqno int4, inhdetachpending bool",
    ),
    table(
        "pg_locks",
        "locktype text, database oid, relation oid, page int4, tuple int2, virtualxid text, transactionid oid, classid oid, objid oid, objsubid int2, virtualtransaction text, pid int4, mode text, granted bool, fastpath bool, waitstart timestamptz",
    ),
    table(
        "pg_partitioned_table",
        "partrelid oid, partstrat text, partnatts int2, partdefid oid, partattrs int2[], partclass oid[], partcollation oid[], partexprs text",
    ),
    table(
        "pg_policy",
        "oid oid, polname text, polrelid oid, polcmd text, polpermissive bool, polroles oid[], polqual text, polwithcheck text",
    ),
    table(
        "pg_prepared_xacts",
        "transaction text, gid text, owner text, database text",
    ),
    table(
        "pg_publication",
        "oid oid, pubname text, pubowner oid, puballtables bool, pubinsert bool, pubupdate bool, pubdelete bool, pubtruncate bool, pubviaroot bool",
    ),
    table(
        "pg_publication_namespace",
        "oid oid, pnpubid oid, pnnspid oid",
    ),
    table(
        "pg_publication_rel",
        "oid oid, prpubid oid, prrelid oid, prqual text, prattrs int2[]",
    ),
    table(
        "pg_seclabel",
        "objoid oid, classoid oid, objsubid int4, provider text, label text",
    ),
    table(
        "pg_sequence",
        "seqrelid oid, seqtypid oid, seqstart int8, seqincrement int8, seqmax int8, seqmin int8, seqcache int8, seqcycle bool",
    ),
    table(
        "pg_sequences",
        "schemaname text, sequencename text, sequenceowner text, data_type text, start_value int8, min_value int8, max_value int8, increment_by int8, cycle bool, cache_size int8, last_value int8",
    ),
    table(
        "pg_shdescription",
        "objoid oid, classoid oid, description text",
    ),
    table(
        "pg_stat_gssapi",
        "pid int4, gss_authenticated bool, principal text, encrypted bool, credentials_delegated bool",
    ),
    table(
        "pg_stat_user_tables",
        "relid oid, schemaname text, relname text, seq_scan int8, last_seq_scan timestamptz, seq_tup_read int8, idx_scan int8, last_idx_scan timestamptz, idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, n_tup_del int8, n_tup_hot_upd int8, n_tup_newpage_upd int8, n_live_tup int8, n_dead_tup int8, n_mod_since_analyze int8, n_ins_since_vacuum int8, last_vacuum timestamptz, last_autovacuum timestamptz, last_analyze timestamptz, last_autoanalyze timestamptz, vacuum_count int8, autovacuum_count int8, analyze_count int8, autoanalyze_count int8",
    ),
    table(
        "pg_stats",
        "schemaname text, tablename text, attname text, inherited bool, null_frac float4, avg_width int4, n_distinct float4, most_common_vals text, most_common_freqs text, histogram_bounds text, correlation float4, most_common_elems text, most_common_elem_freqs text, elem_count_histogram text",
    ),
    table(
        "pg_statistic_ext",
        "oid oid, stxrelid oid, stxname text, stxnamespace oid, stxowner oid, stxstattarget int2, stxkeys int2[], stxkind text[], stxexprs text",
    ),
    table(
        "pg_subscription",
        "oid oid, subdbid oid, subskiplsn text, subname text, subowner oid, subenabled bool, subbinary bool, substream text, subtwophasestate text, subdisableonerr bool, subpasswordrequired bool, subrunasowner bool, subconninfo text, subslotname text, subsynccommit text, subpublications text[], suborigin text",
    ),
    table(
        "pg_trigger",
        "oid oid, tgrelid oid, tgparentid oid, tgname text, tgfoid oid, tgtype int2, tgenabled text, tgisinternal bool, tgconstrrelid oid, tgconstrindid oid, tgconstraint oid, tgdeferrable bool, tginitdeferred bool, tgnargs int2, tgattr int2[], tgargs text, tgqual text, tgoldtable text, tgnewtable text",
    ),
    table(
        "pg_ts_config",
        "oid oid, cfgname text, cfgnamespace oid, cfgowner oid, cfgparser oid",
    ),
    table(
        "pg_ts_dict",
        "oid oid, dictname text, dictnamespace oid, dictowner oid, dicttemplate oid, dictinitoption text",
    ),
    table(
        "pg_user_mapping",
        "oid oid, umuser oid, umserver oid, umoptions text[]",
    ),
    table(
        "pg_amop",
        "oid oid, amopfamily oid, amoplefttype oid, amoprighttype oid, amopstrategy int2, amoppurpose text, amopopr oid, amopmethod oid, amopsortfamily oid",
    ),
    table(
        "pg_amproc",
        "oid oid, amprocfamily oid, amproclefttype oid, amprocrighttype oid, amprocnum int2, amproc regproc",
    ),
    table(
        "pg_db_role_setting",
        "setdatabase oid, setrole oid, setconfig text[]",
    ),
    table(
        "pg_shdepend",
        "dbid oid, classid oid, objid oid, objsubid int4, refclassid oid, refobjid oid, deptype text",
    ),
    table("pg_group", "groname text, grosysid oid, grolist oid[]"),
    table(
        "pg_rules",
        "schemaname text, tablename text, rulename text, definition text",
    ),
    table(
        "pg_policies",
        "schemaname text, tablename text, policyname text, permissive text, roles text[], cmd text, qual text, with_check text",
    ),
    table(
        "pg_stats",
        "schemaname text, tablename text, attname text, inherited bool, null_frac float4, avg_width int4, n_distinct float4",
    ),
    table(
        "pg_statistic",
        "starelid oid, staattnum int2, stainherit bool, stanullfrac float4, stawidth int4, stadistinct float4",
    ),
    table(
        "pg_ts_parser",
        "oid oid, prsname text, prsnamespace oid, prsstart oid, prstoken oid, prsend oid, prsheadline oid, prslextype oid",
    ),
    table(
        "pg_ts_template",
        "oid oid, tmplname text, tmplnamespace oid, tmplinit oid, tmpllexize oid",
    ),
    table(
        "pg_ts_config_map",
        "mapcfg oid, maptokentype int4, mapseqno int4, mapdict oid",
    ),
    table(
        "pg_transform",
        "oid oid, trftype oid, trflang oid, trffromsql oid, trftosql oid",
    ),
    table(
        "pg_largeobject_metadata",
        "oid oid, lomowner oid, lomacl text[]",
    ),
    table(
        "pg_init_privs",
        "objoid oid, classoid oid, objsubid int4, privtype text, initprivs text[]",
    ),
    table("pg_parameter_acl", "oid oid, parname text, paracl text[]"),
    table(
        "pg_available_extension_versions",
        "name text, version text, installed bool, superuser bool, trusted bool, relocatable bool, schema text, requires text[], comment text",
    ),
    table(
        "pg_replication_slots",
        "slot_name text, plugin text, slot_type text, datoid oid, database text, temporary bool, active bool, active_pid int4, wal_status text, conflicting bool",
    ),
    table(
        "pg_stat_replication",
        "pid int4, usesysid oid, usename text, application_name text, state text, sync_state text",
    ),
    table(
        "pg_stat_database",
        "datid oid, datname text, numbackends int4, xact_commit int8, xact_rollback int8, blks_read int8, blks_hit int8, tup_returned int8, tup_fetched int8, tup_inserted int8, tup_updated int8, tup_deleted int8, stats_reset timestamptz",
    ),
    table(
        "pg_stat_user_indexes",
        "relid oid, indexrelid oid, schemaname text, relname text, indexrelname text, idx_scan int8, idx_tup_read int8, idx_tup_fetch int8",
    ),
    table(
        "pg_statio_user_tables",
        "relid oid, schemaname text, relname text, heap_blks_read int8, heap_blks_hit int8, idx_blks_read int8, idx_blks_hit int8",
    ),
    table(
        "pg_user_mappings",
        "umid oid, srvid oid, srvname text, umuser oid, usename text, umoptions text[]",
    ),
    table(
        "pg_statio_all_tables",
        "relid oid, schemaname text, relname text, heap_blks_read int8, heap_blks_hit int8, idx_blks_read int8, idx_blks_hit int8",
    ),
    table(
        "pg_stat_all_tables",
        "relid oid, schemaname text, relname text, seq_scan int8, seq_tup_read int8, idx_scan int8, idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, n_tup_del int8, n_live_tup int8, n_dead_tup int8",
    ),
    table(
        "pg_statistic_ext_data",
        "stxoid oid, stxdinherit bool, stxdndistinct text, stxddependencies text, stxdmcv text",
    ),
    table(
        "pg_stats_ext",
        "schemaname text, tablename text, statistics_schemaname text, statistics_name text, statistics_owner text, attnames text[], kinds text[]",
    ),
    table(
        "pg_subscription_rel",
        "srsubid oid, srrelid oid, srsubstate text, srsublsn text",
    ),
    table(
        "pg_publication_tables",
        "pubname text, schemaname text, tablename text, attnames text[], rowfilter text",
    ),
    table(
        "pg_seclabels",
        "objoid oid, classoid oid, objsubid int4, objtype text, objnamespace oid, objname text, provider text, label text",
    ),
];

/// A function in the catalog: its OID where it is compared, its name where it is shown.
pub const REGPROC: &str = "regproc";

/// The layout of a table by its name.
pub fn find(name: &str) -> Option<&'static Layout> {
    FILLED
        .iter()
        .chain(EMPTY)
        .find(|layout| layout.name == name)
}

/// The columns of a table with their types.
pub fn columns(layout: &Layout) -> impl Iterator<Item = (&'static str, &'static str)> {
    let columns = layout.columns.split(',');
    columns.filter_map(|column| column.trim().split_once(' '))
}

/// What every table of PostgreSQL has beside its columns, found by name only.
pub const SYSTEM: &[(&str, &str)] = &[("xmin", "oid"), ("tableoid", "oid")];

/// The type of the columns of this name, in the first table that has one.
pub fn type_of(name: &str) -> Option<&'static str> {
    let mut all = FILLED.iter().chain(EMPTY).flat_map(columns);
    all.find(|(own, _)| *own == name).map(|(_, kind)| kind)
}

/// Whether a table never holds a row.
pub fn is_empty(name: &str) -> bool {
    EMPTY.iter().any(|layout| layout.name == name)
}
