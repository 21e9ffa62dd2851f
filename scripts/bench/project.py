"""The benchmark's project folder."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "tidegate.yaml": """\
name: bench
environment: development
environments:
  development: {{ledger: "sqlite:///.tidegate/ledger.db", storage: .tidegate/segments}}
connections:
  lake: {{type: files, path: data}}
compute: {{engine: duckdb, memory: {memory}, threads: 2}}
""",
    "contracts/customers-v1.odcs.yaml": """\
apiVersion: v3.0.2
kind: DataContract
id: customers
name: customers
version: 1.0.0
status: active
schema:
  - name: customers
    properties:
      - {{name: customer_id, logicalType: integer, primaryKey: true, required: true, classification: internal}}
      - {{name: email, logicalType: string, required: true, classification: internal}}
      - {{name: first_name, logicalType: string, classification: internal}}
      - {{name: last_name, logicalType: string, classification: internal}}
      - {{name: phone, logicalType: string, classification: internal}}
      - {{name: country, logicalType: string, classification: internal}}
      - {{name: city, logicalType: string, classification: internal}}
      - {{name: lifetime_value, logicalType: number, physicalType: "decimal(12,2)", classification: internal}}
      - {{name: orders, logicalType: integer, classification: internal}}
      - {{name: signup_date, logicalType: date, classification: internal}}
      - {{name: last_seen, logicalType: timestamp, classification: internal}}
      - {{name: opted_in, logicalType: boolean, classification: internal}}
""",
    "datasets/customers.yaml": """\
name: customers
contract: contracts/customers-v1.odcs.yaml
source: {{connection: lake, table: customers.parquet}}
""",
    "destinations/sink.yaml": """\
name: sink
type: webhook
config: {{url: "http://127.0.0.1:{port}/batch"}}
rate: {{requests: 100000, per: 1s, concurrency: 4}}
batch: {{records: 500}}
""",
    "syncs/customers_to_sink.yaml": """\
name: customers_to_sink
dataset: customers@1
destination: sink
object: contacts
mode: mirror
match: {{external_id: customer_id}}
consent: {{none: "a benchmark has no people in it"}}
fields:
  email: email
  first_name: first_name
  last_name: last_name
  phone: phone
  country: country
  city: city
  ltv: lifetime_value
  orders: orders
  signup_date: signup_date
  last_seen: last_seen
  opted_in: opted_in
""",
}


def write_project(folder: Path, *, port: int, memory: str) -> None:
    """Write every file of the project; data is put in ``folder/data`` by the caller."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(port=port, memory=memory), encoding="utf-8")
    (folder / "data").mkdir(exist_ok=True)
