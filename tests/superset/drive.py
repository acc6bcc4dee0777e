"""Apache Superset against a running `restable serve`, through its own REST API in one process: it tests the connection, lists
schemas and tables, makes data sets, draws charts and runs SQL. Prints what it found as JSON.

    drive.py SQLALCHEMY-URI

`SUPERSET_HOME` names the folder in which its own database stands, made by `superset db upgrade` and `fab create-admin`."""

import json
import logging
import sys

logging.disable(logging.WARNING)

from superset.app import create_app  # noqa: E402


def main(uri):
    client = create_app().test_client()
    headers = {}

    def ask(method, path, **body):
        answer = getattr(client, method)(path, headers=headers, **body)
        told = answer.get_json()
        if answer.status_code >= 400:
            sys.exit(f"{method} {path}: {answer.status_code} {json.dumps(told)[:3000]}")
        return told

    login = {"username": "admin", "password": "admin", "provider": "db"}
    token = ask("post", "/api/v1/security/login", json=login)["access_token"]
    headers["Authorization"] = f"Bearer {token}"
    database = {"sqlalchemy_uri": uri, "database_name": "restable"}
    found = {"tested": ask("post", "/api/v1/database/test_connection/", json=database)["message"]}
    number = ask("post", "/api/v1/database/", json={**database, "expose_in_sqllab": True})["id"]
    found["schemas"] = ask("get", f"/api/v1/database/{number}/schemas/")["result"]
    tables = ask("get", f"/api/v1/database/{number}/tables/?q=(schema_name:data_protection)")["result"]
    found["tables"] = {one["value"]: one["type"] for one in tables}
    about = ask("get", f"/api/v1/database/{number}/table_metadata/?name=vw_jobs&schema=data_protection")
    found["columns"] = {one["name"]: one["type"] for one in about["columns"]}
    found["keys"] = [about["primaryKey"], about["foreignKeys"], about["indexes"]]
    data = {"database": number, "schema": "data_protection", "table_name": "vw_jobs"}
    data_set = ask("post", "/api/v1/dataset/", json=data)["id"]
    columns = ask("get", f"/api/v1/dataset/{data_set}")["result"]["columns"]
    found["times"] = sorted(one["column_name"] for one in columns if one["is_dttm"])

    def chart(**query):
        count = {"expressionType": "SQL", "sqlExpression": "COUNT(*)", "label": "jobs"}
        body = {
            "datasource": {"id": data_set, "type": "table"}, "force": True, "result_format": "json", "result_type": "full",
            "queries": [{"metrics": [count], "row_limit": 1000, "filters": [], **query}],
        }
        (result,) = ask("post", "/api/v1/chart/data", json=body)["result"]
        return result["data"]

    found["chart"] = chart(columns=["status"], orderby=[["status", True]])
    axis = {
        "expressionType": "SQL", "label": "start_time", "sqlExpression": "start_time", "timeGrain": "P1D",
        "columnType": "BASE_AXIS",
    }
    found["days"] = chart(columns=[axis, "status"], extras={"time_grain_sqla": "P1D"}, time_range="No filter")
    narrow = {"col": "status", "op": "IN", "val": ["Completed"]}
    found["filtered"] = chart(columns=["status"], filters=[narrow])
    lab = {
        "database_id": number, "schema": "data_protection", "runAsync": False, "client_id": "restable-12",
        "sql": "SELECT status, count(*) AS jobs FROM vw_jobs GROUP BY 1 ORDER BY 1",
    }
    found["lab"] = ask("post", "/api/v1/sqllab/execute/", json=lab)["data"]
    print(json.dumps(found))


main(sys.argv[1])
