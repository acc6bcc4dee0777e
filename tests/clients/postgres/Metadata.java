import java.io.*;
import java.sql.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.*;

/** What tools ask through pgjdbc: every kind of metadata, portals with a fetch size, prepared statements. */
public class Metadata {
    interface Question { ResultSet ask() throws SQLException; }

    static void count(String name, Question question) throws SQLException {
        try (ResultSet rows = question.ask()) {
            int count = 0;
            while (rows.next()) count++;
            System.out.println(name + " " + count);
        }
    }

    static void named(String name, Question question, String... columns) throws SQLException {
        try (ResultSet rows = question.ask()) {
            StringBuilder told = new StringBuilder();
            int count = 0;
            for (; rows.next(); count++) for (String column : columns) told.append(' ').append(rows.getString(column));
            System.out.println(name + " " + count + told);
        }
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = DriverManager.getConnection(arguments[0])) {
            switch (arguments[1]) {
                case "metadata" -> metadata(connection);
                case "rows" -> rows(connection);
                default -> copy(connection);
            }
        }
    }

    static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData about = connection.getMetaData();
        String schema = "data_protection", table = "backup_instances";
        System.out.println("version " + about.getDatabaseMajorVersion());
        count("catalogs", about::getCatalogs);
        count("columns", () -> about.getColumns(null, schema, table, "%"));
        named("primaryKeys", () -> about.getPrimaryKeys(null, schema, table), "COLUMN_NAME", "PK_NAME");
        named("indexes", () -> about.getIndexInfo(null, schema, table, false, false), "COLUMN_NAME", "INDEX_NAME");
        count("importedKeys", () -> about.getImportedKeys(null, schema, table));
        count("exportedKeys", () -> about.getExportedKeys(null, schema, table));
        about.getCrossReference(null, schema, table, null, schema, "jobs").close();
        named("bestRows", () -> about.getBestRowIdentifier(null, schema, table, DatabaseMetaData.bestRowSession, true), "COLUMN_NAME");
        count("allTables", () -> about.getTables(null, null, "%", null));
        count("tables", () -> about.getTables(null, schema, "%", new String[] {"TABLE"}));
        count("indexes as tables", () -> about.getTables(null, schema, "%", new String[] {"INDEX"}));
        count("functions", () -> about.getFunctions(null, null, "%"));
        count("functionColumns", () -> about.getFunctionColumns(null, null, "%", "%"));
        count("types", about::getTypeInfo);
        count("udts", () -> about.getUDTs(null, null, "%", null));
        named("versionColumns", () -> about.getVersionColumns(null, schema, table), "COLUMN_NAME");
        count("columnPrivileges", () -> about.getColumnPrivileges(null, schema, table, "%"));
        about.getSchemas(null, "data%").close();
        about.getTableTypes().close();
        about.getProcedureColumns(null, null, "%", "%").close();
        about.getClientInfoProperties().close();
        about.getSQLKeywords();
        count("procedures", () -> about.getProcedures(null, null, "%"));
        try (ResultSet rows = about.getTables(null, schema, "vw_%", new String[] {"VIEW"})) {
            while (rows.next()) System.out.println("view " + rows.getString("TABLE_NAME"));
        }
        about.getTablePrivileges(null, schema, table).close();
    }

    static void copy(Connection connection) throws Exception {
        CopyManager copying = connection.unwrap(PGConnection.class).getCopyAPI();
        StringWriter text = new StringWriter();
        String query = "SELECT g, 'a' || g AS b FROM generate_series(1, 3) g";
        long rows = copying.copyOut("COPY (" + query + ") TO STDOUT WITH (FORMAT csv, HEADER)", text);
        System.out.println("copied " + rows + " " + text.toString().strip().replace('\n', ' '));
        CopyOut pieces = copying.copyOut("COPY data_protection.backup_vaults (name) TO STDOUT");
        int count = 0;
        while (pieces.readFromCopy() != null) count++;
        System.out.println("pieces " + count + " " + pieces.getHandledRowCount());
        try {
            copying.copyIn("COPY data_protection.backup_vaults FROM STDIN", new StringReader("x"));
        } catch (SQLException refused) {
            System.out.println("refused " + refused.getSQLState());
        }
    }

    static void rows(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        String query = "SELECT name, properties FROM data_protection.backup_instances WHERE subscriptionId = ?";
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            statement.setFetchSize(3);
            statement.setString(1, "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001");
            try (ResultSet rows = statement.executeQuery()) {
                int count = 0;
                while (rows.next()) count++;
                System.out.println("rows " + count + " " + rows.getMetaData().getColumnTypeName(2));
            }
        }
        Savepoint savepoint = connection.setSavepoint();
        connection.rollback(savepoint);
        connection.commit();
        // From the fifth time on the driver uses a named statement and binary values.
        for (int turn = 0; turn < 7; turn++) {
            try (PreparedStatement statement = connection.prepareStatement("SELECT ?::bigint, ?::timestamptz, ?")) {
                statement.setLong(1, turn);
                statement.setTimestamp(2, new Timestamp(0));
                statement.setBoolean(3, true);
                ResultSet rows = statement.executeQuery();
                rows.next();
                if (rows.getLong(1) != turn || rows.getTimestamp(2).getTime() != 0 || !rows.getBoolean(3)) {
                    throw new IllegalStateException("turn " + turn);
                }
            }
        }
        // Each type of number as it is declared, and what they become beside others.
        for (int turn = 0; turn < 7; turn++) {
            String question = "SELECT ?, ?, ?, CASE WHEN ? > 0 THEN ? ELSE 0 END, ?";
            try (PreparedStatement statement = connection.prepareStatement(question)) {
                statement.setInt(1, turn);
                statement.setShort(2, (short) turn);
                statement.setBigDecimal(3, new java.math.BigDecimal(turn));
                statement.setInt(4, turn);
                statement.setInt(5, turn);
                statement.setArray(6, connection.createArrayOf("int4", new Integer[] {turn, null}));
                ResultSet rows = statement.executeQuery();
                rows.next();
                boolean right = rows.getInt(1) == turn && rows.getShort(2) == turn && rows.getBigDecimal(3).intValueExact() == turn
                    && rows.getInt(4) == turn
                    && java.util.Arrays.equals((Object[]) rows.getArray(5).getArray(), new Object[] {(long) turn, null});
                if (!right) {
                    throw new IllegalStateException(
                        "turn " + turn + ": " + rows.getInt(1) + " " + rows.getShort(2) + " " + rows.getBigDecimal(3) + " " + rows.getInt(4) + " " + rows.getArray(5));
                }
            }
        }
        connection.commit();
        System.out.println("prepared 7");
    }
}
