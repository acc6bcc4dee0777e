"""Drivers of other languages, where Debian's packages of them are installed: DBD::Pg (`libdbd-pg-perl`), pg of Ruby (`ruby-pg`), PDO of
PHP (`php-pgsql`)."""

import shutil
import subprocess

import pytest

PERL = r"""
use DBI;
my $db = DBI->connect($ARGV[0], "tester", "", {RaiseError => 1, PrintError => 0});
my $rows = $db->selectcol_arrayref("SELECT name FROM data_protection.backup_vaults WHERE name LIKE ? ORDER BY name LIMIT 1", undef, "bv%");
print "rows @$rows\n";
my $columns = $db->column_info(undef, "data_protection", "backup_vaults", "%");
print "columns ", scalar(@{$columns->fetchall_arrayref}), "\n";
my $views = $db->table_info(undef, "data_protection", "vw_%", "VIEW");
print "views ", scalar(@{$views->fetchall_arrayref}), "\n";
$db->primary_key_info(undef, "data_protection", "backup_vaults");
$db->foreign_key_info(undef, "data_protection", "backup_vaults", undef, undef, undef);
$db->statistics_info(undef, "data_protection", "backup_vaults", 0, 0);
$db->{AutoCommit} = 0;
$db->do("SELECT 1");
$db->rollback;
$db->do("COPY (SELECT name FROM data_protection.backup_vaults) TO STDOUT");
my ($line, $count) = ("", 0);
$count++ while $db->pg_getcopydata($line) >= 0;
print "copied $count\n";
$db->commit;
$db->disconnect;
"""

RUBY = r"""
require 'pg'
db = PG.connect(ARGV[0])
db.type_map_for_results = PG::BasicTypeMapForResults.new(db)
db.type_map_for_queries = PG::BasicTypeMapForQueries.new(db)
p db.exec("SELECT 1::int8, true, ARRAY[1, 2], 1.5::float8, '{\"a\": 1}'::json").values
p db.exec_params('SELECT $1, $2, $3', [[1, 2], 'x', true]).values
db.prepare('one', 'SELECT $1::int + 1')
p db.exec_prepared('one', [41]).values
db.send_query('SELECT * FROM generate_series(1, 1000)')
db.set_single_row_mode
count = 0
db.get_result.stream_each { count += 1 }
db.get_result
p count
db.transaction { |inside| p inside.exec('SELECT 2').getvalue(0, 0) }
"""

PHP = r"""
$db = new PDO('pgsql:' . str_replace(' ', ';', $argv[1]));
$db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$rows = $db->prepare('SELECT name, properties FROM data_protection.backup_vaults WHERE name LIKE :n ORDER BY name LIMIT 1');
$rows->execute(['n' => 'bv%']);
echo $rows->fetchAll()[0]['name'], ' ', $rows->getColumnMeta(1)['native_type'], "\n";
$rows = $db->prepare('SELECT ?::int, ?::bool');
$rows->bindValue(1, 4, PDO::PARAM_INT);
$rows->bindValue(2, true, PDO::PARAM_BOOL);
$rows->execute();
echo json_encode($rows->fetch(PDO::FETCH_NUM)), "\n";
$db->beginTransaction();
$db->query('SELECT 1');
$db->rollBack();
echo count($db->pgsqlCopyToArray('data_protection.backup_vaults')), ' ', $db->getAttribute(PDO::ATTR_SERVER_VERSION), "\n";
"""


def run(command, *probe):
    """What a script says; the test is left out where the language or its driver is not installed."""
    if shutil.which(command[0]) is None or subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip(f"{command[0]} or its driver is not installed")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_perl(served):
    source = "dbi:Pg:" + served.dsn.replace(" user=tester", "").replace(" ", ";")
    said = run(["perl", "-e", PERL, source], "perl", "-MDBD::Pg", "-e", "1")
    assert said == ["rows bv-data-disks-eus2", "columns 9", "views 4", "copied 7"]


def test_ruby(served):
    said = run(["ruby", "-e", RUBY, served.dsn], "ruby", "-rpg", "-e", "1")
    assert said == ['[[1, true, [1, 2], 1.5, {"a"=>1}]]', '[[[1, 2], "x", true]]', "[[42]]", "1000", "2"]


def test_php(served):
    said = run(["php", "-r", PHP, served.dsn], "php", "-r", "exit(extension_loaded('pdo_pgsql') ? 0 : 1);")
    assert said == ["bv-data-disks-eus2 json", "[4,true]", "7 16.9"]
